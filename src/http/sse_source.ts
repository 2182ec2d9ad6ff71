import type { Channel } from "../pubsub/pubsub.ts";
import { Subscribed } from "../pubsub/subscription.ts";
import { reconnectDelay } from "../redis/backoff.ts";
import { isPassing } from "../redis/refusals.ts";
import { compareIds } from "../streams/ids.ts";
import type { Stream } from "../streams/stream.ts";
import { delay } from "../util/abort.ts";

/** What a page is told of: a message, one that cannot be read, or that some may be missing. */
export interface SseMessage<Value> {
  readonly value?: Value | undefined;
  readonly gap?: boolean | undefined;
  readonly issues?: readonly string[] | undefined;
  /** By what it is found again, for `Last-Event-ID`. */
  readonly id?: string | undefined;
  readonly channel?: string | undefined;
}

/** Where the events of a page come from. */
export interface SseSource<Value> {
  /** Resolves when none is missed any more. Never rejects. */
  readonly ready: Promise<void>;
  /** Whether ids are its own, and say where a page goes on. */
  readonly replays: boolean;
  next(): Promise<IteratorResult<SseMessage<Value>, undefined | void>>;
  /** Ends it. */
  end(): Promise<void>;
  /** Counts and tells that a message cannot be told to a page. */
  refuse(issues: readonly string[]): void;
}

/** Whether it is a stream, as opposed to a channel. */
export function isStream<Value>(of: Stream<Value> | Pick<Channel<Value>, "subscribe">): of is Stream<Value> {
  return typeof (of as Partial<Stream<Value>>)?.read === "function";
}

/** The messages of a channel, or of a pattern, from now on. */
export function channelSource<Value>(
  channel: Pick<Channel<Value>, "subscribe">,
  signal: AbortSignal,
  buffer: number | undefined,
): SseSource<Value> {
  const messages = channel.subscribe({ signal, ...(buffer !== undefined && { buffer }) });
  return {
    ready: messages.ready,
    replays: false,
    next: () => messages.next(),
    end: async () => void await messages.return(),
    refuse: (issues) => messages instanceof Subscribed && messages.refuse(issues),
  };
}

/** The messages of a stream: those after the one that the page has seen last, or those from now on. */
export function streamSource<Value>(
  stream: Stream<Value>,
  given: AbortSignal,
  lastEventId: string | null,
): SseSource<Value> {
  const stop = new AbortController();
  const signal = AbortSignal.any([given, stop.signal]);
  const begun = Promise.withResolvers<void>();
  const messages = follow(stream, signal, lastEventId, () => begun.resolve());
  // It is looked at once where it begins, not with the first read.
  const first = messages.next();
  first.catch(() => {}).then(() => begun.resolve());
  let asked = false;
  return {
    ready: begun.promise,
    replays: true,
    next: () => {
      if (asked) return messages.next();
      asked = true;
      return first;
    },
    end: async () => {
      stop.abort();
      await messages.return();
    },
    refuse: () => {},
  };
}

/** An id as streams have it. What else a page may send, as the number of a message of a channel, is none. */
const ID = /^\d{1,16}-\d{1,16}$/;

async function* follow<Value>(
  stream: Stream<Value>,
  signal: AbortSignal,
  lastEventId: string | null,
  begun: () => void,
): AsyncGenerator<SseMessage<Value>, void, undefined> {
  let lastId: string | undefined;
  let late = false;
  for (let failures = 0;; failures++) {
    try {
      ({ lastId } = await stream.info({ signal }));
      break;
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) throw error;
      late = true;
      begun(); // while Redis is away, a page had better be told nothing than be refused for ever
      await delay(reconnectDelay(failures), signal).catch(() => {});
    }
  }
  begun();
  const known = lastEventId !== null && ID.test(lastEventId);
  // An id of the future is of a stream that was lost and is made anew.
  const seen = known && compareIds(lastEventId, lastId ?? "0-0") <= 0 ? lastEventId : undefined;
  if (seen === undefined && (late || lastEventId !== null)) yield { gap: true };
  const after = seen ?? lastId;
  yield* stream.read({ follow: true, signal, ...(after !== undefined && { after }) });
}
