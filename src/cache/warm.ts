import { unawaited } from "../util/callbacks.ts";
import { abortable } from "../util/abort.ts";
import { describe } from "../util/describe.ts";
import type { Duration } from "../util/duration.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { CacheOperations } from "./operations.ts";
import { setOptionsOf } from "./option_names.ts";
import type { OperationOptions, SetOptions } from "./options.ts";

/**
 * An entry to be stored ahead of time: key and value, and how it is kept if that differs from the options of the cache.
 */
export type WarmEntry = readonly [key: string, value: unknown, options?: SetOptions | Duration];

/** Options of `warm`. */
export interface WarmOptions extends OperationOptions {
  /** How many are written at a time. @default {100} */
  concurrency?: number | undefined;
  /** Told how many were written so far, after each. */
  onProgress?: ((progress: WarmResult) => void) | undefined;
}

const WARM = optionNames<WarmOptions>({ concurrency: true, onProgress: true, signal: true });

/** How a `warm` went. */
export interface WarmResult {
  /** How many were stored. */
  readonly stored: number;
  /** How many the store did not take. */
  readonly failed: number;
}

/** Stores entries as they come, so many at a time. */
export async function warm(
  cache: Pick<CacheOperations, "set">,
  entries: Iterable<WarmEntry> | AsyncIterable<WarmEntry>,
  options: WarmOptions,
): Promise<WarmResult> {
  assertOptions(options, WARM, "warm the cache");
  const { concurrency = 100, onProgress, signal } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(
      `Cannot warm the cache: wanted a whole number of at least 1 as "concurrency", got ${describe(concurrency)}`,
    );
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(`Cannot warm the cache: wanted a function to tell, got ${describe(onProgress)}`);
  }
  if (
    typeof entries !== "object" || entries === null || !(Symbol.iterator in entries || Symbol.asyncIterator in entries)
  ) {
    throw new TypeError(`Cannot warm the cache: wanted entries, got ${describe(entries)}`);
  }
  let stored = 0;
  let failed = 0;
  const running = new Set<Promise<void>>();
  let problem: { error: unknown } | undefined;
  const write = async (entry: WarmEntry) => {
    try {
      if (!Array.isArray(entry)) {
        throw new TypeError(`Cannot warm the cache: wanted [key, value, options?], got ${describe(entry)}`);
      }
      const [key, value, settings = {}] = entry as WarmEntry;
      if (await cache.set(key, value, { ...setOptionsOf(settings), signal })) stored++;
      else failed++;
      unawaited(onProgress?.({ stored, failed }));
    } catch (error) {
      problem ??= { error };
    }
  };
  const source = Symbol.asyncIterator in entries ? entries[Symbol.asyncIterator]() : entries[Symbol.iterator]();
  try {
    while (!problem && !signal?.aborted) {
      const { done, value } = await abortable(Promise.resolve(source.next()), signal);
      if (done) break;
      const writing: Promise<void> = write(value).finally(() => running.delete(writing));
      running.add(writing);
      if (running.size >= concurrency) await Promise.race(running);
    }
  } catch (error) {
    problem ??= { error };
  }
  if (problem || signal?.aborted) {
    // A source that does not come back is not waited for.
    (async () => await source.return?.())().catch(() => {});
  }
  await Promise.all(running);
  if (problem) throw problem.error;
  signal?.throwIfAborted();
  return { stored, failed };
}
