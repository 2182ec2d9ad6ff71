import { entryBytes, HEADER, NEVER, PLACEHOLDER, type StoredEntry } from "./entry.ts";
import type { NewEntry } from "./store.ts";

/** An entry of the embedded store. */
export type MemoryEntry = { -readonly [K in keyof StoredEntry]: StoredEntry[K] };

const NOTHING = new Uint8Array(0);

/** An entry that is written now, with its place in the order. */
export function entryAt(entry: NewEntry, epoch: number, asOf: number, now: number): MemoryEntry {
  const { payload, tags, flags, loadTime, fresh, stale, error } = entry;
  return {
    flags,
    loadTime,
    epoch,
    asOf,
    freshUntil: until(now, fresh),
    staleUntil: until(now, stale),
    errorUntil: until(now, error),
    leaseToken: 0,
    leaseUntil: 0,
    placeholder: false,
    payload: payload.length < payload.buffer.byteLength ? payload.slice() : payload, // it is kept, and no more than it
    bytes: entryBytes(payload, tags),
    tags,
  };
}

/** A lease for what is not there. */
export function leaseAt(epoch: number, asOf: number, leaseToken: number, leaseUntil: number): MemoryEntry {
  return {
    flags: PLACEHOLDER,
    loadTime: 0,
    epoch,
    asOf,
    freshUntil: 0,
    staleUntil: 0,
    errorUntil: 0,
    leaseToken,
    leaseUntil,
    placeholder: true,
    payload: NOTHING,
    bytes: HEADER,
    tags: [],
  };
}

/** Makes an entry fresh for so many milliseconds; how long it is stale and a fallback beyond that stays as it was. */
export function makeFresh(entry: MemoryEntry, now: number, fresh: number): void {
  const from = entry.freshUntil;
  const to = until(now, fresh);
  const shift = (time: number) => {
    if (to >= NEVER || (time >= NEVER && from < NEVER)) return NEVER;
    return from >= NEVER ? to : to + time - from;
  };
  entry.staleUntil = shift(entry.staleUntil);
  entry.errorUntil = shift(entry.errorUntil);
  entry.freshUntil = to;
}

function until(now: number, milliseconds: number): number {
  return milliseconds === Infinity ? NEVER : now + milliseconds;
}
