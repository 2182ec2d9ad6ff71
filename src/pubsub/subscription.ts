import type { EventListener } from "../observe/events.ts";
import type { MessageHeaders } from "../util/message_headers.ts";
import { tracesMessages } from "../observe/telemetry.ts";
import type { MessageCodec } from "../values/message_codec.ts";
import type { StandardSchema } from "../values/standard_schema.ts";
import { ChannelFullError } from "./errors.ts";
import type { OnFull } from "./options.ts";
import type { PubSubCounts } from "./stats.ts";
import type { ChannelStore, ChannelTopic } from "./store.ts";

/**
 * What a loop over a channel is given.
 *
 * @typeParam Value What is published there.
 */
export type ChannelItem<Value> =
  /** A message; with `headers`, the span in which it was published, where that was traced. */
  | {
    readonly value: Value;
    readonly headers?: MessageHeaders;
    readonly gap?: undefined;
    readonly issues?: undefined;
  }
  /**
   * Messages may be missing here: touch with the server was lost and is back, or so many were `dropped`, since the loop
   * was slow.
   */
  | { readonly gap: true; readonly dropped?: number; readonly value?: undefined; readonly issues?: undefined }
  /** A message that cannot be read or does not fit the schema, and why. */
  | { readonly issues: readonly string[]; readonly gap?: undefined; readonly value?: undefined };

/**
 * What a loop over a pattern is given: the same, and with each message its channel.
 *
 * @typeParam Value What is published there.
 */
export type PatternItem<Value> = ChannelItem<Value> & {
  /** The name of the channel; a gap has none. */
  readonly channel?: string;
};

/**
 * A subscription to a channel or a pattern: `for await (const item of subscription)`. Whoever leaves the loop ends it.
 *
 * @typeParam Value What is published there.
 * @typeParam Item What the loop is given.
 */
export interface ChannelSubscription<Value, Item = ChannelItem<Value>>
  extends AsyncIterableIterator<Item>, AsyncDisposable {
  /** Resolves when messages arrive; what was published before is missed. Never rejects. */
  readonly ready: Promise<void>;
  /** Ends it. */
  return(): Promise<IteratorReturnResult<undefined>>;
}

/** What waits for the loop. */
type Waiting = { readonly payload: Uint8Array; readonly channel: string } | { readonly gap: true; dropped?: number };

/** How many bytes may wait, however few messages they are. */
const MOST_BYTES = 64 * 1_048_576;

/** What a subscription needs. */
export interface SubscriptionParts<Value> {
  readonly topic: ChannelTopic;
  readonly codec: MessageCodec;
  readonly schema: StandardSchema<unknown, Value> | undefined;
  readonly buffer: number;
  readonly onFull: OnFull;
  readonly counts: PubSubCounts;
  readonly on: EventListener | undefined;
  /** Called when it has ended. */
  readonly ended: (subscription: Subscribed<Value>) => void;
}

/** A subscription, and what waits there for its loop. */
export class Subscribed<Value> implements ChannelSubscription<Value, PatternItem<Value>> {
  readonly ready: Promise<void>;
  readonly #parts: SubscriptionParts<Value>;
  readonly #waiting: Waiting[] = [];
  readonly #start = Promise.withResolvers<void>();
  #bytes = 0;
  #messages = 0;
  #begun = false;
  /** Whether touch is lost, which is told when it is back. */
  #lost = false;
  #error: Error | undefined;
  #over = false;
  #held: Promise<AsyncDisposable | undefined> | undefined;
  #wake: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #asking = 0;
  #stopListening: (() => void) | undefined;

  constructor(parts: SubscriptionParts<Value>) {
    this.#parts = parts;
    this.ready = this.#start.promise;
  }

  /** Begins, and ends by the signal. */
  open(store: ChannelStore, signal: AbortSignal | undefined): void {
    this.#parts.counts.subscriptions++;
    if (signal?.aborted) return void this.#end();
    const abort = () => void this.#end();
    signal?.addEventListener("abort", abort, { once: true });
    this.#stopListening = () => signal?.removeEventListener("abort", abort);
    const listener = {
      message: (payload: Uint8Array, channel: string) => this.#message(payload, channel),
      ready: () => this.#ready(),
      lost: () => void (this.#lost = true),
      failed: (error: Error) => this.#fail(error),
    };
    this.#held = store.subscribe(this.#parts.topic, listener).catch((error) => {
      this.#fail(error instanceof Error ? error : new Error("Cannot subscribe", { cause: error }));
      return undefined;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<PatternItem<Value>, undefined>> {
    const next = this.#asking++ === 0 ? this.#next() : this.#turn.then(() => this.#next());
    this.#turn = next.then(this.#asked, this.#asked);
    return next;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#end();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  readonly #asked = (): void => void this.#asking--;

  async #next(): Promise<IteratorResult<PatternItem<Value>, undefined>> {
    while (this.#waiting.length === 0 && !this.#over && !this.#error) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    const first = this.#over ? undefined : this.#waiting.shift();
    if (!first) {
      const error = this.#error;
      this.#error = undefined;
      await this.#end();
      if (error) throw error;
      return { done: true, value: undefined };
    }
    if ("gap" in first) return { done: false, value: first };
    this.#left(first.payload);
    const { codec, schema, topic } = this.#parts;
    const reading = codec.decode(first.payload, schema);
    const read = reading instanceof Promise ? await reading : reading;
    if ("issues" in read) this.refuse(read.issues, first.channel);
    else if (read.headers) tracesMessages()?.received("channel.receive", read.headers);
    return { done: false, value: topic.kind === "pattern" ? { channel: first.channel, ...read } : read };
  }

  /** Counts and tells that a message was refused. */
  refuse(issues: readonly string[], channel: string = this.#parts.topic.name): void {
    const { counts, on } = this.#parts;
    counts.refused++;
    on?.({ type: "channel.refused", channel, issues });
  }

  #message(payload: Uint8Array, channel: string): void {
    if (this.#over || this.#error) return;
    const { buffer, onFull, counts, topic } = this.#parts;
    // Until all arrive again some may be missing between those that do: the gap that is told then stands for all.
    if (this.#lost || !this.#begun) return;
    counts.received++;
    const isFull = () => this.#messages >= buffer || (this.#messages > 0 && this.#bytes + payload.length > MOST_BYTES);
    if (isFull()) {
      if (onFull === "error") return this.#fail(new ChannelFullError(topic.name, buffer));
      if (onFull === "drop-newest") return this.#dropped(this.#waiting.length, 1);
      while (isFull()) this.#dropOldest();
    }
    this.#messages++;
    counts.waiting++;
    this.#bytes += payload.length;
    this.#waiting.push({ payload, channel });
    this.#wake?.();
  }

  #dropOldest(): void {
    const at = this.#waiting.findIndex((item) => "payload" in item);
    const [oldest] = this.#waiting.splice(at, 1) as [Extract<Waiting, { payload: Uint8Array }>];
    this.#left(oldest.payload);
    this.#dropped(at, 1);
  }

  /** Says at a place that messages were dropped there. */
  #dropped(at: number, count: number): void {
    const { counts, on, topic: { name } } = this.#parts;
    counts.dropped += count;
    const before = this.#waiting[at - 1];
    if (before && "gap" in before && before.dropped !== undefined) return void (before.dropped += count);
    this.#waiting.splice(at, 0, { gap: true, dropped: count });
    on?.({ type: "channel.gap", channel: name, reason: "full" });
    this.#wake?.();
  }

  #ready(): void {
    if (!this.#begun) {
      this.#begun = true;
      return this.#start.resolve();
    }
    if (this.#over) return;
    this.#lost = false;
    const { counts, on, topic: { name } } = this.#parts;
    counts.gaps++;
    on?.({ type: "channel.gap", channel: name, reason: "lost" });
    this.#missed();
  }

  /** Says that messages may be missing here. */
  #missed(): void {
    const last = this.#waiting.at(-1);
    if (!last || !("gap" in last) || last.dropped !== undefined) this.#waiting.push({ gap: true });
    this.#wake?.();
  }

  #left(payload: Uint8Array): void {
    this.#messages--;
    this.#parts.counts.waiting--;
    this.#bytes -= payload.length;
  }

  /** The loop throws, after what waits. */
  #fail(error: Error): void {
    this.#error ??= error;
    this.#start.resolve();
    this.#wake?.();
  }

  async #end(): Promise<void> {
    if (!this.#over) {
      this.#over = true;
      this.#stopListening?.();
      const { counts, ended } = this.#parts;
      counts.subscriptions--;
      counts.waiting -= this.#messages;
      this.#waiting.length = this.#messages = this.#bytes = 0;
      this.#start.resolve();
      this.#wake?.();
      ended(this);
    }
    const held = await this.#held;
    await held?.[Symbol.asyncDispose]();
  }
}
