import type { Channel } from "../pubsub/pubsub.ts";
import type { Stream } from "../streams/stream.ts";
import { describe } from "../util/describe.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { channelSource, isStream, type SseMessage, type SseSource, streamSource } from "./sse_source.ts";

/**
 * Options of {@linkcode sse}.
 *
 * @typeParam Value What is published on the channel, or added to the stream.
 */
export interface SseOptions<Value> {
  /**
   * What a message is to the page; `undefined` leaves it out. Where it throws, or gives what is no event, the page is
   * told of a `gap`, and there is an event `channel.refused` where it is one of a channel.
   *
   * @default {the value as JSON}
   */
  event?: ((value: Value, item: SseItem) => SseEvent | undefined) | undefined;
  /** How often a comment shows that the connection is alive, from 1 s to an hour. @default {"15s"} */
  heartbeat?: Duration | undefined;
  /**
   * How many messages of a channel wait for a client that is slow, from 1 to 1,000,000. A stream keeps its own.
   *
   * @default {1000}
   */
  buffer?: number | undefined;
  /** Ends the events, as those of a server that is shut down: it waits for all responses. */
  signal?: AbortSignal | undefined;
}

/** What is known of a message beside its value. */
export interface SseItem {
  /** Its id, if it is one of a stream. */
  readonly id?: string | undefined;
  /** Its channel, where a pattern of channels is subscribed to. */
  readonly channel?: string | undefined;
}

/** An event as a page is told it. */
export interface SseEvent {
  /** Its type, without line breaks. @default {"message"} */
  readonly event?: string | undefined;
  /** What it says. */
  readonly data: string;
}

const ACTION = "answer with events";
const OPTIONS = optionNames<SseOptions<unknown>>({ event: true, heartbeat: true, buffer: true, signal: true });
/** Milliseconds to wait for the subscription, before the response begins without it. */
const PATIENCE = 2000;
const encoder = new TextEncoder();

/**
 * Answers a request with the messages of a channel or a stream as Server-Sent Events: to `new EventSource(url)` in a
 * page. It ends when the client goes, or Larder is closed. Where messages may be missing there is an event of the type
 * `gap`, so that the page can read anew what is stored.
 *
 * A stream is read from now on; a browser that connects again says by `Last-Event-ID` what it has seen, and is told
 * what came since, with a `gap` only where that is not kept any more. A channel keeps nothing, so there is a `gap` at
 * the begin of such a connection.
 *
 * @typeParam Value What is published on the channel, or added to the stream.
 * @param request The request.
 * @param source Where the messages are: a channel, a pattern of channels, or a stream.
 * @param options What a message is to the page, how often to show that the connection is alive.
 * @returns The response, as soon as messages arrive; while Redis is away after 2 s, and a `gap` when they do.
 * @throws {TypeError | RangeError} If an argument cannot be used.
 *
 * @example A page that sees orders
 * ```ts
 * import { connect } from "@larder/larder";
 * import { sse } from "@larder/larder/http";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const orders = redis.pubsub.channel<{ id: number }>("orders");
 * const handler = (request: Request) => sse(request, orders);
 *
 * const response = await handler(new Request("http://localhost/events"));
 * assert.equal(response.headers.get("content-type"), "text/event-stream");
 * await orders.publish({ id: 7 });
 * const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
 * assert.equal((await reader.read()).value, 'id: 1\ndata: {"id":7}\n\n');
 * await reader.cancel();
 * ```
 */
export async function sse<Value>(
  request: Request,
  source: Pick<Channel<Value>, "subscribe"> | Stream<Value>,
  options: SseOptions<Value> = {},
): Promise<Response> {
  if (!(request instanceof Request)) {
    throw new TypeError(`Cannot ${ACTION}: wanted a Request, got ${describe(request)}`);
  }
  if (!isStream(source) && typeof source?.subscribe !== "function") {
    const wanted = "wanted a channel or a pattern of redis.pubsub, or a stream of redis.streams";
    throw new TypeError(`Cannot ${ACTION}: ${wanted}, got ${describe(source)}`);
  }
  assertOptions(options, OPTIONS, ACTION);
  const { event = asJson, heartbeat = "15s", buffer, signal } = options;
  if (typeof event !== "function") {
    throw new TypeError(`Cannot ${ACTION}: wanted a function as "event", got ${describe(event)}`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot ${ACTION}: wanted an AbortSignal as "signal", got ${describe(signal)}`);
  }
  const every = toMilliseconds(heartbeat, "heartbeat", { min: 1000, max: 3_600_000 });
  const ends = signal ? AbortSignal.any([request.signal, signal]) : request.signal;
  if (buffer !== undefined && isStream(source)) {
    throw new TypeError(`Cannot ${ACTION}: wanted "buffer" for a channel alone, got it for a stream`);
  }
  const lastEventId = request.headers.get("last-event-id");
  const messages = isStream(source) ? streamSource(source, ends, lastEventId) : channelSource(source, ends, buffer);
  const stream = new EventStream(messages, event, every, lastEventId !== null);
  await stream.ready();
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" };
  return new Response(stream.body, { headers });
}

function asJson(value: unknown): SseEvent {
  const data = JSON.stringify(value) as string | undefined;
  if (data !== undefined) return { data };
  throw new TypeError(`wanted a value that JSON has a form for, got ${describe(value)}`);
}

/** The events of one client. */
class EventStream<Value> {
  readonly body: ReadableStream<Uint8Array>;
  readonly #source: SseSource<Value>;
  readonly #event: (value: Value, item: SseItem) => SseEvent | undefined;
  readonly #every: number;
  #next: ReturnType<SseSource<Value>["next"]> | undefined;
  /** Resolves when messages arrive, where that took too long to be waited for. */
  #late: Promise<"ready"> | undefined;
  #id = 0;

  constructor(
    source: SseSource<Value>,
    event: (value: Value, item: SseItem) => SseEvent | undefined,
    every: number,
    again: boolean,
  ) {
    this.#source = source;
    this.#event = event;
    this.#every = every;
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        if (again && !source.replays) controller.enqueue(this.#gap());
      },
      pull: async (controller) => {
        const text = await this.#pull();
        if (text) controller.enqueue(text);
        else controller.close();
      },
      cancel: () => this.#source.end(),
    }, { highWaterMark: 0 });
  }

  /** Waits until messages arrive. While Redis is away, a page had better be told nothing than be refused for ever. */
  async ready(): Promise<void> {
    const ready = this.#source.ready.then(() => "ready" as const);
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), PATIENCE);
    const which = await Promise.race([ready, late.promise]).finally(() => clearTimeout(timer));
    if (which === "late") this.#late = ready;
  }

  /** The next event, or a comment when there is none for so long; `undefined` at the end. */
  async #pull(): Promise<Uint8Array | undefined> {
    for (;;) {
      this.#next ??= this.#source.next();
      const idle = Promise.withResolvers<"idle">();
      const timer = setTimeout(() => idle.resolve("idle"), this.#every);
      const all = [this.#next, idle.promise, ...this.#late ? [this.#late] : []];
      const item = await Promise.race(all).finally(() => clearTimeout(timer));
      if (item === "ready") {
        this.#late = undefined;
        if (this.#source.replays) continue; // it says so itself
        return this.#gap();
      }
      if (item === "idle") return encoder.encode(": \n\n");
      this.#next = undefined;
      if (item.done) return undefined;
      const message = item.value;
      if (message.gap) return this.#gap();
      const event = message.issues ? "gap" : this.#eventOf(message);
      if (event === "gap") return this.#gap(message.id);
      if (event) return this.#write(event, message.id);
      // Without data it is no event, and the browser knows how far it is.
      if (message.id !== undefined) return encoder.encode(`id: ${message.id}\n\n`);
    }
  }

  /** What a message is to the page. One that cannot be told is a gap: it must not end what all others are told. */
  #eventOf({ value, id, channel }: SseMessage<Value>): SseEvent | "gap" | undefined {
    try {
      const given = this.#event(value as Value, {
        ...(id !== undefined && { id }),
        ...(channel !== undefined && { channel }),
      });
      if (given === undefined || given === null) return undefined;
      const { event, data } = given;
      if (typeof data === "string" && (event === undefined || typeof event === "string")) return given;
      throw new TypeError(`wanted an event as { data: "…" }, with text as "data", got ${describe(given)}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#source.refuse([`It cannot be told as an event: ${why}`]);
      return "gap";
    }
  }

  #gap(id?: string): Uint8Array {
    return this.#write({ event: "gap", data: "" }, id);
  }

  /** An event. Those of a stream have its ids; a gap there has none, so that the browser keeps the one it has. */
  #write({ event, data }: SseEvent, id?: string): Uint8Array {
    const number = this.#source.replays ? id : `${++this.#id}`;
    const type = event === undefined ? "" : `event: ${event.replace(/[\r\n]+/g, " ")}\n`;
    const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("");
    return encoder.encode(`${number === undefined ? "" : `id: ${number}\n`}${type}${lines}\n`);
  }
}
