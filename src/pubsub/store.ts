import type { ClosedBy } from "../errors.ts";

/** Told what arrives on a channel, and when messages may have been missed. */
export interface ChannelListener {
  /** A message arrived on that channel. */
  message(payload: Uint8Array, channel: string): void;
  /** From now on none is missed; those of before may have been. */
  ready(): void;
  /** Messages may be missed until `ready` comes again; some may arrive meanwhile. */
  lost(): void;
  /** It cannot be subscribed to. */
  failed(error: Error): void;
}

/** What is listened to: a channel, a glob pattern of channels, or a channel of a slot of a cluster. */
export interface ChannelTopic {
  /** What it is. */
  readonly kind: "channel" | "pattern" | "sharded";
  /** The name of the channel, or the pattern. */
  readonly name: string;
}

/** Where channels are. */
export interface ChannelStore extends AsyncDisposable {
  /** What kind of store it is. */
  readonly kind: "memory" | "redis";
  /** Why there are no patterns or no sharded channels, as in `"a client that can"`; nothing if there are. */
  lacks?(kind: ChannelTopic["kind"]): { readonly wanted: string; readonly got: string } | undefined;
  /**
   * Publishes on a channel.
   *
   * @returns How many subscribers it reached, as far as the server knows: one for each process.
   * @throws {UnavailableError} If the store does not answer in time.
   */
  publish(channel: ChannelTopic, payload: Uint8Array, signal?: AbortSignal): Promise<number>;
  /** Subscribes to a channel or a pattern until what it gives is disposed of. */
  subscribe(topic: ChannelTopic, listener: ChannelListener): Promise<AsyncDisposable>;
  /** Ends it. */
  [Symbol.asyncDispose](by?: ClosedBy): PromiseLike<void>;
}
