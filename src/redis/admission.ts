import type { UnavailableError } from "../errors.ts";
import type { Breaker } from "./breaker.ts";
import type { RedisClient } from "./client.ts";
import type { Deadline } from "./deadline.ts";
import type { Queue } from "./queue.ts";
import type { WritesOut } from "./writes_out.ts";

/** Says who may call at all. */
export class Admission {
  readonly #client: RedisClient;
  readonly #breaker: Breaker;
  readonly #queue: Queue;
  readonly #out: WritesOut;
  readonly #maxQueued: number;
  /** Nobody may any more. */
  closed = false;

  constructor(client: RedisClient, breaker: Breaker, queue: Queue, out: WritesOut, maxQueued: number) {
    this.#client = client;
    this.#breaker = breaker;
    this.#queue = queue;
    this.#out = out;
    this.#maxQueued = maxQueued;
  }

  /** Why a call is refused. */
  refusal(within: Deadline | undefined): UnavailableError["reason"] | undefined {
    if (this.closed) return "closed";
    if (!this.#makesSense()) return "circuit-open";
    if (this.#queue.length >= this.#maxQueued) return "overload";
    return within && within.end <= performance.now() ? "timeout" : undefined;
  }

  /** Whether an attempt makes sense: one after failures only on a connection, and only one at a time. */
  #makesSense(): boolean {
    if (this.#breaker.state === "closed") return true;
    return this.#client.connected && this.#breaker.allows() && !this.#out.any;
  }
}
