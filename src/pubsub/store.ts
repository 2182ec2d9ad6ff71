import type { ClosedBy } from "../errors.ts";

/** Told what arrives on a channel, and when messages may have been missed. */
export interface ChannelListener {
  /** A message arrived. */
  message(payload: Uint8Array): void;
  /** From now on none is missed; those of before may have been. */
  ready(): void;
  /** Messages may be missed until `ready` comes again; some may arrive meanwhile. */
  lost(): void;
}

/** Where channels are. */
export interface ChannelStore extends AsyncDisposable {
  /** What kind of store it is. */
  readonly kind: "memory" | "redis";
  /**
   * Publishes on a channel.
   *
   * @returns How many subscribers it reached, as far as the server knows: one for each process.
   * @throws {UnavailableError} If the store does not answer in time.
   */
  publish(channel: string, payload: Uint8Array, signal?: AbortSignal): Promise<number>;
  /** Subscribes to a channel until what it gives is disposed of. */
  subscribe(channel: string, listener: ChannelListener): Promise<AsyncDisposable>;
  /** Ends it. */
  [Symbol.asyncDispose](by?: ClosedBy): PromiseLike<void>;
}
