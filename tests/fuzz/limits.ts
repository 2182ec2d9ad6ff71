import { ALGORITHM_NAMES as ALGORITHMS } from "../../src/rate_limit/algorithms/registry.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import { RedisLimitStore } from "../../src/rate_limit/redis/store.ts";
import { Batch } from "../../src/redis/batch.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { Wrong } from "./decoders.ts";
import { damage, type Random } from "./random.ts";

const LIMIT = 20;
const WINDOW = 60;
/** Strings that are written and read together. */
const IDS = 100;

/** Has the scripts of the rate limits read strings that somebody else has written. */
export class LimitStrings implements AsyncDisposable {
  readonly #batch: Batch;
  readonly #limiter: RateLimiter<(typeof ALGORITHMS)[number]>;
  /** What is read when nothing is wrong, by key. */
  #whole = new Map<string, Uint8Array>();

  private constructor(batch: Batch, limiter: RateLimiter<(typeof ALGORITHMS)[number]>) {
    this.#batch = batch;
    this.#limiter = limiter;
  }

  /** Opens a server. */
  static async open(server: { hostname: string; port: number }): Promise<LimitStrings> {
    const client = new WireClient(server);
    const batch = new Batch(client, { commandTimeout: 60_000 });
    await client.start();
    const namespace = `fuzz-${crypto.randomUUID()}`;
    const store = new RedisLimitStore(batch, { namespace, timeout: 60_000 });
    let limiter = new RateLimiter(store, { maxDenials: 0 });
    for (const algorithm of ALGORITHMS) {
      const onUnavailable = "closed";
      limiter = limiter.define(algorithm, { limit: LIMIT, window: WINDOW, algorithm, onUnavailable }) as typeof limiter;
    }
    const strings = new LimitStrings(batch, limiter as never);
    await strings.#use();
    let cursor = "0";
    do {
      const [next, keys] = await batch.send("SCAN", [cursor, "MATCH", `{${namespace}}*`, "COUNT", 1000], {
        operation: "look for strings",
        text: true,
      }) as [string, string[]];
      cursor = next;
      if (keys.length === 0) continue;
      const values = await batch.send("MGET", keys, { operation: "read strings" }) as Uint8Array[];
      keys.forEach((key, i) => strings.#whole.set(key, values[i]!));
    } while (cursor !== "0");
    return strings;
  }

  /** Reads about so many strings. Resolves to how many there were, and throws if an answer makes no sense. */
  async run(random: Random, count: number): Promise<number> {
    const examples = [...this.#whole.values()];
    let done = 0;
    while (done < count) {
      const args = [...this.#whole.keys()].flatMap((key) => [key, damage(random, examples)]);
      await this.#batch.send("MSET", args, { operation: "write strings" });
      await this.#use();
      done += this.#whole.size;
    }
    return done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const keys = [...this.#whole.keys()];
    if (keys.length > 0) await this.#batch.send("DEL", keys, { operation: "remove strings" });
    await this.#limiter[Symbol.asyncDispose]();
    await this.#batch.close();
  }

  async #use(): Promise<void> {
    await Promise.all(ALGORITHMS.flatMap((name) =>
      Array.from({ length: IDS }, async (_, i) => {
        const id = `${i}`;
        const result =
          await (i % 3 === 0 ? this.#limiter.peek(name, id) : this.#limiter.check(name, id, { cost: 1 + i % 3 }));
        const { remaining, limit, resetAfter, retryAfter, source } = result;
        if (source !== "redis") throw new Wrong(`an answer of ${source}`);
        if (limit !== LIMIT || !(remaining >= 0 && remaining <= LIMIT)) {
          throw new Wrong(`${remaining} of ${limit} left`);
        }
        for (const seconds of [resetAfter, retryAfter]) {
          if (!(seconds >= 0 && seconds <= 2 * WINDOW)) throw new Wrong(`${seconds} seconds to wait (${name})`);
        }
      })
    ));
  }
}
