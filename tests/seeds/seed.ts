import { connect, type Larder } from "../../mod.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import type { Open } from "../sessions/served.ts";
import { RedisServer } from "../support/redis_server.ts";

/** What somebody does who reads a document of a service that is to move to Larder. */
export type Operations = Readonly<Record<string, (redis: Larder, open: Open) => Promise<void> | void>>;

/** Declares a test for each operation of a document, on the embedded store and on a Redis that they share. */
export function onDocument(number: string, operations: Operations, options: Partial<ConnectOptions> = {}): void {
  const each = async (t: Deno.TestContext, url: string) => {
    // Both are longer than usual: the machine may be busy.
    const patient = { commandTimeout: "10s", rateLimit: { ...options.rateLimit, timeout: "10s" } };
    for (const [index, [name, run]] of Object.entries(operations).entries()) {
      const open: Open = (own) => connect({ url, namespace: `operation${index}`, ...options, ...patient, ...own });
      await t.step(name, async () => {
        await using redis = await open();
        await run(redis, open);
      });
    }
  };
  Deno.test(`Document ${number}, embedded`, async (t) => await each(t, "memory:"));
  Deno.test(`Document ${number}, on Redis`, async (t) => {
    await using server = await RedisServer.start();
    await each(t, server.url);
  });
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
