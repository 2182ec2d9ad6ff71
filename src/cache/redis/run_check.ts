import type { RedisClient } from "../../redis/client.ts";

/**
 * Milliseconds after which the server is asked again which run it is, although the connection stands: a proxy may have
 * changed the server behind it.
 */
const CHECK_EVERY = 1000;

/** When a server was last asked which run it is: one that was restarted has forgotten what was invalidated. */
export class RunCheck {
  readonly #client: RedisClient;
  #generation = -1;
  #at = -Infinity;

  constructor(client: RedisClient) {
    this.#client = client;
  }

  /** "1" when the server may have been restarted since it was last asked; what scripts take. */
  get flag(): "0" | "1" {
    const known = this.isChecked(this.#client.generation);
    return known && performance.now() - this.#at < CHECK_EVERY ? "0" : "1";
  }

  /** The server's run was checked on this connection. */
  checked(generation: number): void {
    this.#generation = generation;
    this.#at = performance.now();
  }

  /** Whether it was. */
  isChecked(generation: number): boolean {
    return this.#generation === generation;
  }
}
