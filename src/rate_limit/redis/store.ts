import { type ClosedBy, UnavailableError } from "../../errors.ts";
import type { Batch } from "../../redis/batch.ts";
import { bucketOf, hashTags } from "../../redis/buckets.ts";
import { Deadline } from "../../redis/deadline.ts";
import { assertReplicates } from "../../redis/durability.ts";
import type { Replication } from "../../redis/replication.ts";
import { RedisCounter } from "./counter.ts";
import type { LimitStore, Standing, Step } from "../store.ts";

/** How a Redis store works. */
export interface RedisLimitStoreOptions {
  /** First part of all keys. */
  namespace: string;
  /** Number of hash slots to spread over; more than 1 only on a cluster. @default {1} */
  buckets?: number;
  /**
   * Milliseconds after which steps are given up. @default {100, or three round trips, up to the timeout of the batch}
   */
  timeout?: number | undefined;
  /** The time in microseconds instead of the server's, for tests. */
  now?: (() => number) | undefined;
}

/** Counts in Redis. All steps of one tick are one round trip; see `scripts.ts`. */
export class RedisLimitStore implements LimitStore {
  readonly kind = "redis" as const;
  readonly #batch: Batch;
  readonly #counters: readonly RedisCounter[];
  #closed: ClosedBy | undefined;

  constructor(batch: Batch, options: RedisLimitStoreOptions) {
    const { namespace, buckets = 1, timeout, now } = options;
    this.#batch = batch;
    this.#counters = hashTags(namespace, buckets).map((tag) => new RedisCounter(batch, { tag, timeout, now }));
  }

  /** Milliseconds after which steps are given up now. */
  get timeout(): number {
    return this.#counters[0]!.timeout;
  }

  assertReplicates(): void {
    assertReplicates(this.#batch.client, "rate limits");
  }

  run(steps: readonly Step[], signal?: AbortSignal, replication?: Replication): Promise<Standing[]> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#closed) {
      return Promise.reject(new UnavailableError("count rate limit", "closed", { closedBy: this.#closed }));
    }
    const first = this.#counterOf(steps[0]!.id);
    if (steps.length === 1) return first.run(steps, signal, replication);
    if (this.#counters.length === 1 || steps.every(({ id }) => this.#counterOf(id) === first)) {
      return first.run(steps, signal, replication);
    }
    return this.#runApart(steps, signal, replication);
  }

  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    for (const counter of this.#counters) counter.close();
    return Promise.resolve();
  }

  /**
   * Steps in different slots of a cluster, which no script can reach at once: each slot counts its own, and what was
   * counted is taken back when another refuses. Never more is admitted than by one script; meanwhile, others may be
   * refused.
   */
  async #runApart(
    steps: readonly Step[],
    signal: AbortSignal | undefined,
    replication: Replication | undefined,
  ): Promise<Standing[]> {
    const slots = new Map<RedisCounter, number[]>();
    for (const [i, { id }] of steps.entries()) {
      const counter = this.#counterOf(id);
      const indexes = slots.get(counter);
      if (indexes) indexes.push(i);
      else slots.set(counter, [i]);
    }
    const standings = new Array<Standing>(steps.length);
    const within = new Deadline(this.timeout);
    within.begin();
    const ended = await Promise.allSettled([...slots].map(async ([counter, indexes]) => {
      const found = await counter.run(indexes.map((i) => asReserved(steps[i]!)), signal, replication);
      indexes.forEach((i, at) => standings[i] = found[at]!);
    }));
    const failed = ended.find((end) => end.status === "rejected");
    if (!failed && standings.every(({ allowed }) => allowed)) return standings;
    const back = Promise.all([...slots].map(async ([counter, indexes]) => {
      // What was refused in part was not counted, and of what failed nobody knows.
      if (!indexes.every((i) => standings[i]?.allowed)) return;
      await Promise.all(indexes.map(async (i) => {
        const { reserved } = standings[i]!;
        if (!reserved) return;
        const [found] = await counter.run([{ ...steps[i]!, action: "refund", reserved }]);
        standings[i] = { ...found!, allowed: true };
      }));
    }));
    // That it is refused is known already; how much is left then is told where that is known in time.
    await this.#batch.hold(back, within, "count rate limit").catch(() => {});
    if (failed) throw failed.reason;
    return standings;
  }

  #counterOf(id: string): RedisCounter {
    return this.#counters[bucketOf(id, this.#counters.length)]!;
  }
}

/** A check that can be taken back. */
function asReserved(step: Step): Step {
  return step.action === "check" ? { ...step, action: "reserve" } : step;
}
