import type { EventListener } from "../../observe/events.ts";
import type { InvalidationReplica, TagLookup } from "../invalidations.ts";
import { decoder } from "../../util/utf8.ts";

/** What the read script says of one key beside its entry. */
export interface Note extends TagLookup {
  /** {@linkcode NOTE}, summed. */
  readonly kind: number;
}

/** What a read tells beside the entries. */
export interface LedgerDelta {
  /** Which life of the ledger it is. */
  readonly epoch: number;
  /** The place of the read in the store's order. */
  readonly clock: number;
  /** The last place that was given away. */
  readonly last: number;
  /** The store's time in milliseconds. */
  readonly now: number;
  /** Nothing as old is valid. */
  readonly floor: number;
  /** By index of the key. */
  readonly notes: ReadonlyMap<number, Note> | undefined;
}

/**
 * Cuts up what the read script answers: the values, where there are any, and last the news for {@linkcode readNews}.
 *
 * @throws {RangeError} If it is something else.
 */
export function readValues(bytes: Uint8Array): { values: (Uint8Array | undefined)[]; news: Uint8Array } {
  const bounds = readArray(bytes);
  const values: (Uint8Array | undefined)[] = [];
  for (let i = 0; i < bounds.length; i += 2) {
    values.push(bounds[i] === -1 ? undefined : bytes.subarray(bounds[i], bounds[i + 1]));
  }
  const news = values.pop();
  if (!news) throw new RangeError("Cannot read reply: wanted news, got none");
  return { values, news };
}

/**
 * Finds the pieces of a MessagePack array of strings and `false`: where each begins and where it ends, in turn; -1
 * where there is none.
 *
 * @throws {RangeError} If it is something else.
 */
export function readArray(bytes: Uint8Array): number[] {
  const first = bytes[0]!;
  let at = first === 0xdc ? 3 : first === 0xdd ? 5 : 1;
  const length = first === 0xdc ? uint(bytes, 1, 2) : first === 0xdd ? uint(bytes, 1, 4) : first - 0x90;
  if (at === 1 && (first & 0xf0) !== 0x90) throw unreadable(first);
  if (!(length <= bytes.length)) {
    throw new RangeError(`Cannot read reply: wanted ${length} strings in ${bytes.length} bytes`);
  }
  const bounds = new Array<number>(2 * length);
  for (let i = 0; i < bounds.length; i += 2) {
    const type = bytes[at++]!;
    if (type === 0xc2) {
      bounds[i] = bounds[i + 1] = -1;
      continue;
    }
    let size: number;
    if (type === 0xda) size = uint(bytes, (at += 2) - 2, 2);
    else if (type === 0xd9) size = bytes[at++]!;
    else if (type === 0xdb) size = uint(bytes, (at += 4) - 4, 4);
    else if ((type & 0xe0) === 0xa0) size = type & 0x1f;
    else throw unreadable(type);
    bounds[i] = at;
    bounds[i + 1] = at += size;
  }
  if (!(at <= bytes.length)) throw new RangeError(`Cannot read reply: wanted ${at} bytes, got ${bytes.length}`);
  return bounds;
}

/** Reads the news, and tells `known` what it did not know. */
export function readNews(bytes: Uint8Array, known: InvalidationReplica, on: EventListener | undefined): LedgerDelta {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const epoch = view.getFloat64(0);
  const last = view.getFloat64(24);
  const newest = view.getFloat64(32);
  const records = view.getUint16(49);
  const barriers = view.getUint16(51);
  const count = view.getUint16(53);
  const forget = bytes[48]!;
  if (forget > 0) {
    if (known.epoch !== 0 && known.epoch !== epoch) on?.({ type: "cache.epoch" });
    known.restart(epoch, last, newest, forget === 2 ? view.getFloat64(40) : last);
  } else {
    known.seen = Math.max(known.seen, last);
    known.newest = Math.max(known.newest, newest);
  }
  let at = 55;
  for (let i = 0; i < records + barriers; i++) {
    const clock = view.getFloat64(at);
    const end = at + 10 + view.getUint16(at + 8);
    const member = decoder.decode(bytes.subarray(at + 10, end));
    at = end;
    if (i >= records) known.addBarrier(member.slice(2), clock);
    else known.addTag(member.slice(2), member.startsWith("h:") ? "hard" : "stale", clock);
  }
  let notes: Map<number, Note> | undefined;
  for (let i = 0; i < count; i++, at += 19) {
    notes ??= new Map();
    notes.set(view.getUint16(at), {
      kind: bytes[at + 2]!,
      hard: view.getFloat64(at + 3),
      stale: view.getFloat64(at + 11),
    });
  }
  return { epoch, last, clock: view.getFloat64(8), now: view.getFloat64(16), floor: view.getFloat64(40), notes };
}

function uint(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + bytes[at + i]!;
  return value;
}

function unreadable(type: number | undefined): RangeError {
  const got = type === undefined ? "nothing" : `type 0x${type.toString(16)}`;
  return new RangeError(`Cannot read reply: wanted an array of strings, got ${got}`);
}
