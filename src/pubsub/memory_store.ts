import { type ClosedBy, UnavailableError } from "../errors.ts";
import type { ChannelListener, ChannelStore } from "./store.ts";

/** Channels in this process. */
export class MemoryChannelStore implements ChannelStore {
  /** It is one in memory. */
  readonly kind = "memory" as const;
  readonly #channels = new Map<string, Set<ChannelListener>>();
  #closed: ClosedBy | undefined;

  /** How many channels somebody listens to. */
  get size(): number {
    return this.#channels.size;
  }

  /** Publishes on a channel. */
  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async publish(channel: string, payload: Uint8Array, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    if (this.#closed) throw new UnavailableError("publish", "closed", { closedBy: this.#closed });
    const listeners = [...this.#channels.get(channel) ?? []];
    for (const listener of listeners) queueMicrotask(() => listener.message(payload));
    return listeners.length > 0 ? 1 : 0;
  }

  /** Subscribes to a channel. */
  // deno-lint-ignore require-await -- see publish()
  async subscribe(channel: string, listener: ChannelListener): Promise<AsyncDisposable> {
    if (this.#closed) throw new UnavailableError("subscribe", "closed", { closedBy: this.#closed });
    const listeners = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, listeners.add(listener));
    queueMicrotask(() => listener.ready());
    return {
      [Symbol.asyncDispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0 && this.#channels.get(channel) === listeners) this.#channels.delete(channel);
        return Promise.resolve();
      },
    };
  }

  /** Forgets all. */
  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    this.#channels.clear();
    return Promise.resolve();
  }
}
