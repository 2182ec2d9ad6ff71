import type { RedisClient } from "./client.ts";

/** Most scripts that are remembered; only those of an app that makes them up as it goes are more. */
const MOST = 1000;

/**
 * The scripts that the server at the end of this connection has answered. The others are sent whole: a script that it
 * does not know would have to be sent again, a round trip later and behind what was called after it.
 */
export class KnownScripts {
  readonly #client: RedisClient;
  readonly #known = new Set<string>();
  #generation = -1;

  constructor(client: RedisClient) {
    this.#client = client;
  }

  /** Whether the server knows a script, by its hash. */
  has(sha: string): boolean {
    return this.#generation === this.#client.generation && this.#known.has(sha);
  }

  /** It has answered one that was sent when so many connections had been opened. */
  add(sha: string, generation: number): void {
    if (generation !== this.#client.generation) return;
    if (generation !== this.#generation || this.#known.size >= MOST) this.#known.clear();
    this.#generation = generation;
    this.#known.add(sha);
  }

  /** It did not know one: somebody has had it forget all. */
  delete(sha: string): void {
    this.#known.delete(sha);
  }
}
