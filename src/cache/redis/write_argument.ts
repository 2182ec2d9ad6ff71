import { Slab } from "../../util/slab.ts";
import { encodeTags, HEADER, VERSION } from "../entry.ts";
import type { Fence, NewEntry } from "../store.ts";

/** Bytes of the numbers in front of the entry. */
export const NUMBERS = 48;
/** Where in them is the time from which on an explicit write must not take effect. */
const UNTIL = 16;
/** Bytes of an entry that the server adds: its epoch, its place in the order, three times. */
export const ADDED = 40;

const slab = new Slab();

/** What {@linkcode WRITE} takes of an entry: in one piece, since each argument costs the client a while. */
export function writeArgument(entry: NewEntry, fence: Fence | undefined): Uint8Array {
  const { tags, payload } = entry;
  const plain = plainLength(tags);
  const encoded = plain === -1 ? encodeTags(tags) : undefined;
  const tagsLength = encoded?.length ?? plain;
  const size = NUMBERS + HEADER - ADDED + tagsLength + payload.length;
  const at = slab.reserve(size);
  const { bytes, view } = slab;
  view.setFloat64(at, fence?.lease ?? 0);
  view.setFloat64(at + 8, fence?.epoch ?? 0);
  view.setFloat64(at + UNTIL, fence?.clock ?? 0);
  view.setFloat64(at + 24, milliseconds(entry.fresh));
  view.setFloat64(at + 32, milliseconds(entry.stale));
  view.setFloat64(at + 40, milliseconds(entry.error));
  const from = at + NUMBERS;
  bytes[from] = VERSION;
  bytes[from + 1] = entry.flags;
  view.setUint16(from + 2, tags.length);
  view.setUint32(from + 4, Math.min(2 ** 32 - 1, Math.round(entry.loadTime)));
  const tagsAt = from + HEADER - ADDED;
  view.setUint32(tagsAt - 4, tagsLength);
  if (encoded) bytes.set(encoded, tagsAt);
  else writePlain(tags, bytes, tagsAt);
  bytes.set(payload, tagsAt + tagsLength);
  return bytes.subarray(at, at + size);
}

const until = new Uint8Array(8);
const untilView = new DataView(until.buffer);

/** Writes into what {@linkcode writeArgument} gave from when on it must not take effect. */
export function setUntil(argument: Uint8Array, milliseconds: number): void {
  untilView.setFloat64(0, milliseconds);
  for (let i = 0; i < 8; i++) argument[UNTIL + i] = until[i]!;
}

/** A lifetime as the scripts take it: -1 = for ever. */
export function milliseconds(value: number): number {
  return value === Infinity ? -1 : Math.max(1, Math.round(value));
}

/** How long tags are as they are stored, where each character takes a byte; else -1. */
function plainLength(tags: readonly string[]): number {
  let length = 0;
  for (const tag of tags) {
    for (let i = 0; i < tag.length; i++) if (tag.charCodeAt(i) > 0x7f) return -1;
    length += 2 + tag.length;
  }
  return length;
}

/** Writes tags of which each character takes a byte. By hand: a call of the encoder takes as long as all of them. */
function writePlain(tags: readonly string[], bytes: Uint8Array, at: number): void {
  for (const tag of tags) {
    bytes[at++] = tag.length >> 8;
    bytes[at++] = tag.length & 255;
    for (let i = 0; i < tag.length; i++) bytes[at++] = tag.charCodeAt(i);
  }
}
