import type { RedisClient } from "./client.ts";
import type { Due } from "./grace_period.ts";
import { type ErrorMaker, expire } from "./queue.ts";
import type { Write } from "./write.ts";

/** The writes whose replies have not come. */
export class WritesOut {
  readonly #client: RedisClient;
  readonly #most: number;
  readonly #writes = new Set<Write>();
  /** Those that were out when another failed: a connection takes all of them with it, and that is one failure. */
  readonly #struck = new WeakSet<Write>();

  /** The client says how many may be out at a time. */
  constructor(client: RedisClient) {
    this.#client = client;
    this.#most = client.inFlight ?? 1;
  }

  /** Whether there is any. */
  get any(): boolean {
    return this.#writes.size > 0;
  }

  /** Whether no more may go out now. */
  get full(): boolean {
    const { size } = this.#writes;
    return size >= this.#most || (size > 0 && this.#client.congested === true);
  }

  /** All of them, in the order in which they were written. */
  get all(): Iterable<Write> {
    return this.#writes;
  }

  /** What has a deadline in them. */
  dues(): Due[] {
    return [...this.#writes].flatMap((write) => [write, ...write.calls.filter((call) => !call.settled)]);
  }

  /** Gives up the calls that are due. */
  expire(now: number, error: ErrorMaker): void {
    for (const { calls } of this.#writes) for (const call of calls) if (expire(call, now, error)) call.expired = true;
  }

  /** One goes out. */
  add(write: Write): void {
    this.#writes.add(write);
  }

  /** One is over; tells whether it was out. */
  remove(write: Write): boolean {
    return this.#writes.delete(write);
  }

  /** Whether the failure of a write is one of its own, and not part of one that was counted already. */
  isNewFailure(write: Write): boolean {
    if (this.#struck.has(write)) return false;
    for (const other of this.#writes) this.#struck.add(other);
    return true;
  }
}
