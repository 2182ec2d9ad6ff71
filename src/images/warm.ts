import { unawaited } from "../util/callbacks.ts";
import { abortable } from "../util/abort.ts";
import { describe } from "../util/describe.ts";
import { ImageError, NotFoundError } from "../errors.ts";
import { assertOptions } from "../util/option_names.ts";
import { folderOf } from "./names.ts";
import { WARM } from "./option_names.ts";
import type { WarmImagesOptions, WarmImagesResult } from "./options.ts";
import type { ImageSource } from "./source.ts";

const ACTION = "warm the images";

/** Reads images as their names come, so many at a time. */
export async function warmImages(
  get: (filename: string) => Promise<unknown>,
  source: ImageSource,
  what: string | Iterable<string> | AsyncIterable<string>,
  options: WarmImagesOptions,
): Promise<WarmImagesResult> {
  assertOptions(options, WARM, ACTION);
  const { concurrency = 8, onProgress, signal } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    const got = describe(concurrency);
    throw new RangeError(`Cannot ${ACTION}: wanted a whole number of at least 1 as "concurrency", got ${got}`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(`Cannot ${ACTION}: wanted a function to tell, got ${describe(onProgress)}`);
  }
  const names = typeof what === "string" ? listed(source, folderOf(what, ACTION), signal) : what;
  if (typeof names !== "object" || names === null || !(Symbol.iterator in names || Symbol.asyncIterator in names)) {
    const wanted = typeof what === "string" ? "names from list() of the source" : "a folder or names";
    throw new TypeError(`Cannot ${ACTION}: wanted ${wanted}, got ${describe(names)}`);
  }
  let stored = 0;
  let failed = 0;
  let problem: { error: unknown } | undefined;
  const one = async (filename: string) => {
    try {
      await get(filename);
      stored++;
    } catch (error) {
      // A folder may have files of any name; what the caller names is another thing.
      const unusable = error instanceof RangeError && typeof what === "string";
      if (!(error instanceof NotFoundError) && !(error instanceof ImageError) && !unusable) throw error;
      failed++;
    }
    unawaited(onProgress?.({ stored, failed, filename }));
  };
  const running = new Set<Promise<void>>();
  const iterator = Symbol.asyncIterator in names ? names[Symbol.asyncIterator]() : names[Symbol.iterator]();
  try {
    while (!problem) {
      signal?.throwIfAborted();
      const { done, value } = await abortable(Promise.resolve(iterator.next()), signal);
      if (done) break;
      const work: Promise<void> = one(value)
        .catch((error) => void (problem ??= { error }))
        .finally(() => running.delete(work));
      running.add(work);
      if (running.size >= concurrency) await Promise.race(running);
    }
  } catch (error) {
    problem ??= { error };
  }
  // A source that does not come back is not waited for.
  if (problem) (async () => await iterator.return?.())().catch(() => {});
  await Promise.all(running);
  if (problem) throw problem.error;
  return { stored, failed };
}

function listed(source: ImageSource, folder: string, signal: AbortSignal | undefined): AsyncIterable<string> {
  if (typeof source.list === "function") return source.list(folder, { signal });
  throw new TypeError(`Cannot ${ACTION}: wanted names, or a source with list(), got a folder and a source without`);
}
