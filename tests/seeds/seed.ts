import { connect, type Larder } from "../../mod.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { onBothStores } from "../sessions/served.ts";

/** What somebody does who reads a document of a service that is to move to Larder. */
export type Operations = Readonly<Record<string, (redis: Larder) => Promise<void> | void>>;

/** Declares a test for each operation of a document, on the embedded store and on Redis. */
export function onDocument(number: string, operations: Operations, options: Partial<ConnectOptions> = {}): void {
  for (const [name, run] of Object.entries(operations)) {
    onBothStores(`Document ${number}: ${name}`, async (open) => {
      await using redis = await open(options);
      await run(redis);
    });
  }
}

/** A database of users that counts how often it is asked. */
export class Users {
  asked = 0;
  readonly #users = new Map<string, Record<string, unknown>>();

  put(id: string, user: Record<string, unknown>): Record<string, unknown> {
    this.#users.set(id, user);
    return user;
  }

  find(id: string): Promise<Record<string, unknown> | null> {
    this.asked++;
    return Promise.resolve(this.#users.get(id) ?? null);
  }
}

export { connect };
