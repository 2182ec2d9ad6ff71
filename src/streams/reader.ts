import { reconnectDelay } from "../redis/backoff.ts";
import { isPassing } from "../redis/refusals.ts";
import { delay } from "../util/abort.ts";
import type { MessageCodec } from "../values/message_codec.ts";
import type { StandardSchema } from "../values/standard_schema.ts";
import type { ReadItem } from "./item.ts";
import type { Range } from "./options.ts";
import type { StreamEntry, StreamStore } from "./store.ts";

/** How many messages are read at a time. */
const PAGE = 100;
/** How often it is looked for more where a word may have been missed, and where none should be, in milliseconds. */
const DEAF = 500;
const NET = 5000;

/** What reading a range needs. */
export interface ReaderParts<Value> {
  readonly store: StreamStore;
  readonly stream: string;
  readonly codec: MessageCodec;
  readonly schema: StandardSchema<unknown, Value> | undefined;
  /** Ends what waits for more. */
  readonly closing: AbortSignal;
}

/** Reads a range of messages, page by page; with `follow` for ever. */
export function readRange<Value>(
  parts: ReaderParts<Value>,
  range: Range,
  given: AbortSignal | undefined,
): AsyncGenerator<ReadItem<Value>, void, undefined> {
  const stop = new AbortController();
  const signal = AbortSignal.any([parts.closing, stop.signal, ...given ? [given] : []]);
  const items = itemsOf(parts, range, signal);
  const end = items.return.bind(items);
  // A generator that waits for more would end with the next message.
  items.return = (value) => {
    stop.abort();
    return end(value);
  };
  return items;
}

async function* itemsOf<Value>(
  parts: ReaderParts<Value>,
  range: Range,
  signal: AbortSignal,
): AsyncGenerator<ReadItem<Value>, void, undefined> {
  const { store, stream } = parts;
  const { to, follow } = range;
  let { from } = range;
  let left = range.limit;
  const ears = follow ? new Ears(signal) : undefined;
  let listening: AsyncDisposable | undefined;
  let expected: bigint | undefined;
  try {
    if (signal.aborted) return;
    if (ears) listening = await store.listen(stream, ears);
    let looked = !from.startsWith("(");
    for (let failures = 0; left > 0 && !signal.aborted;) {
      const limit = Math.min(PAGE, left);
      let entries: readonly StreamEntry[];
      ears?.listen();
      try {
        const gone = !looked && await isGone(store, stream, from.slice(1), signal);
        looked = true;
        if (gone) yield { gap: true };
        entries = await store.read({ stream, from, to, limit, watch: follow }, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (!follow || !isPassing(error)) throw error;
        await delay(reconnectDelay(failures++), signal).catch(() => {});
        continue;
      }
      for (const entry of entries) {
        const number = entry.number;
        if (number !== undefined && expected !== undefined && number !== expected) yield { gap: true };
        if (number !== undefined) expected = number + 1n;
        yield await itemOf(parts, entry);
        if (signal.aborted || --left <= 0) return;
      }
      const last = entries.at(-1);
      if (last) from = `(${last.id}`;
      if (entries.length === limit) continue;
      if (!ears) return;
      await ears.heard();
    }
  } finally {
    await listening?.[Symbol.asyncDispose]();
  }
}

/** Whether messages after one may be missing: it is not kept any more, and others are. */
async function isGone(store: StreamStore, stream: string, id: string, signal: AbortSignal): Promise<boolean> {
  const [ms, number = "0"] = id.split("-");
  if (BigInt(ms!) === 0n && BigInt(number) === 0n) return false;
  const { firstId } = await store.info(stream, signal);
  if (firstId === undefined) return true;
  const [firstMs, firstNumber] = firstId.split("-");
  return BigInt(firstMs!) > BigInt(ms!) || (firstMs === ms && BigInt(firstNumber!) > BigInt(number));
}

/** Turns what is kept into what a reader is given. */
export async function itemOf<Value>(
  { codec, schema }: Pick<ReaderParts<Value>, "codec" | "schema">,
  { id, key, payload }: StreamEntry,
): Promise<Exclude<ReadItem<Value>, { gap: true }>> {
  if (!payload) return { id, key, issues: ["It was written by something else"] };
  const read = await codec.decode(payload, schema);
  return { id, key, ...read };
}

/** Waits for a word that there is more. */
class Ears {
  readonly #signal: AbortSignal;
  #live = false;
  #word = Promise.withResolvers<void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** From now on. */
  listen(): void {
    this.#word = Promise.withResolvers();
  }

  wake(): void {
    this.#word.resolve();
  }

  ready(): void {
    this.#live = true;
    this.#word.resolve();
  }

  lost(): void {
    this.#live = false;
  }

  /** Resolves with the next word, after a while, or with the signal. */
  async heard(): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#signal, stop.signal]);
    await Promise.race([this.#word.promise, delay(this.#live ? NET : DEAF, signal).catch(() => {})]);
    stop.abort();
  }
}
