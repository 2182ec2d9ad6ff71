import type { Redis } from "ioredis";
import { type Larder, UnavailableError } from "../../mod.ts";
import { bucketOf } from "../../src/redis/buckets.ts";
import { BIN, type Bin, type Setup, type Told } from "./setup.ts";

/** What is called over and over, and what is looked at when all is over. */
export interface Load {
  /** Each of them has a caller of its own. */
  readonly steps: readonly (() => Promise<void>)[];
  /** Waits for what is on its way, and counts what is wrong. */
  end?(): Promise<void>;
}

/** What all loads of a process share. */
export class Context {
  readonly redis: Larder;
  /** The server that knows what is true: it takes no part in what happens to the others. */
  readonly truth: Redis;
  readonly setup: Setup;
  readonly told: Told = { looked: {}, broken: {}, others: {}, refusals: {} };
  readonly #proofs: readonly string[];
  #bin: Bin = { at: 0, calls: {} };

  constructor(redis: Larder, truth: Redis, setup: Setup) {
    this.redis = redis;
    this.truth = truth;
    this.setup = setup;
    const ids = Array.from({ length: 1000 }, (_, i) => `proof:${i}`);
    this.#proofs = Array.from({ length: setup.buckets }, (_, bucket) => ids.find((id) => this.bucket(id) === bucket)!);
  }

  /** The bucket of what any node of a cluster takes, so that none may cost it. */
  get any(): number {
    return this.setup.buckets === 1 ? 0 : -1;
  }

  /** The bucket of a name. */
  bucket(name: string): number {
    return bucketOf(name, this.setup.buckets);
  }

  /** Runs a call, and notes whether it failed. */
  async call<T>(
    bucket: number,
    work: () => Promise<T>,
    good: (result: T) => boolean = () => true,
  ): Promise<T | undefined> {
    try {
      const result = await work();
      this.#note(bucket, !good(result));
      return result;
    } catch (error) {
      this.#note(bucket, true, error);
      return undefined;
    }
  }

  /**
   * Whether a replica has all that was written to a bucket before: it has what is written there now, and replicas have
   * writes in their order.
   */
  async replicated(bucket: number): Promise<boolean> {
    const durability = { replicas: 1, timeout: "100ms" };
    const proof = this.redis.rateLimit.check("PROOF" as "AUTH", this.#proofs[bucket]!, { durability });
    return (await proof).replicated === true;
  }

  /** Counts what was looked at, what broke a promise, or what is told beside it. */
  count(of: "looked" | "broken" | "others", what: string, by: number = 1): void {
    this.told[of][what] = (this.told[of][what] ?? 0) + by;
  }

  /** Tells each tenth of a second what came of its calls. */
  report(tell: (bin: Bin) => void): () => void {
    const timer = setInterval(() => {
      const last = this.#bin;
      this.#bin = { at: Date.now(), calls: {} };
      if (last.at > 0) tell(last);
    }, BIN);
    return () => clearInterval(timer);
  }

  #note(bucket: number, failed: boolean, error?: unknown): void {
    const counts = this.#bin.calls[bucket] ??= [0, 0];
    counts[0]++;
    if (!failed) return;
    counts[1]++;
    const why = error instanceof UnavailableError ? error.code ?? error.reason : String(error ?? "undefined");
    this.told.refusals[why] = (this.told.refusals[why] ?? 0) + 1;
  }
}

/** One of them. */
export function oneOf<T>(all: readonly T[]): T {
  return all[Math.floor(Math.random() * all.length)]!;
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
