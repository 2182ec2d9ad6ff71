import type { Batch } from "../../redis/batch.ts";
import { Deadline } from "../../redis/deadline.ts";
import type { Replay } from "./replay.ts";
import type { RedisSlot } from "./slot.ts";

/**
 * What has to be done in a slot before a command: invalidations that wait are replayed, and a server is asked for its
 * time before the first write over a connection. All wait in the same way, so they go on in the order of the calls.
 * Where there is nothing to wait for, nothing is waited for: what is done in one tick keeps its order.
 */
export class Preconditions {
  readonly #batch: Batch;
  /** The invalidations of the slot that wait. */
  readonly replay: Replay;
  /** While a server is asked for its time; resolves to the error if there was one. */
  #asking: { readonly slot: RedisSlot; readonly done: Promise<unknown> } | undefined;

  constructor(batch: Batch, replay: Replay) {
    this.#batch = batch;
    this.replay = replay;
  }

  /** Whether anything has to be waited for. */
  get pending(): boolean {
    return this.replay.behind || this.#asking !== undefined;
  }

  /** Waits until nothing is to be done before. What has waited has a deadline that has begun. */
  async met(operation: string): Promise<Deadline> {
    const within = new Deadline(this.#batch.commandTimeout);
    if (this.replay.behind) await this.replay.done(operation, within);
    while (this.#asking) await this.#batch.hold(this.#asking.done, within, operation);
    return within;
  }

  /** The same for a write to a slot. An explicit one says from when on it must not take effect. */
  async metByWrite(slot: RedisSlot, explicit: boolean, within: Deadline, operation: string): Promise<void> {
    if (this.replay.behind) await this.replay.done(operation, within);
    while (this.#asking || (explicit && !slot.clock.known)) {
      const asking = this.#asking ??= this.#ask(slot);
      const error = await this.#batch.hold(asking.done, within, operation);
      if (error !== undefined && asking.slot === slot) throw error;
    }
  }

  /** Whether a write to a slot has to wait. */
  pendingForWrite(slot: RedisSlot, explicit: boolean): boolean {
    return this.pending || (explicit && !slot.clock.known);
  }

  /**
   * Does what has waited, in what is left of its deadline; if it has not waited, the deadline is that of the command.
   */
  afterwards<T>(work: Promise<T>, within: Deadline | undefined, operation: string): Promise<T> {
    return within === undefined || within.end === Infinity ? work : this.#batch.hold(work, within, operation);
  }

  #ask(slot: RedisSlot): { slot: RedisSlot; done: Promise<unknown> } {
    const done = slot.clock.ask().then(() => undefined, (error) => error).finally(() => this.#asking = undefined);
    return { slot, done };
  }
}
