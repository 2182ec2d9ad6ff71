import { unawaited } from "../util/callbacks.ts";
import { abortable } from "../util/abort.ts";
import type { Cache } from "../cache/cache.ts";
import { OPERATION } from "../cache/option_names.ts";
import type { InvalidationResult, LoaderContext, OperationOptions } from "../cache/options.ts";
import { describe } from "../util/describe.ts";
import { type EventListener, safeListener } from "../observe/events.ts";
import { assertOptions } from "../util/option_names.ts";
import { Semaphore } from "../util/semaphore.ts";
import type { ImageInfo } from "./info.ts";
import { infoFrom, isAnswer, isAsWritten, type Known } from "./known.ts";
import { fingerprint, isSame, notFound, type Snapshot, StatCache } from "./stat_cache.ts";
import { assertImageName, folderOf, tagOf, tagsOf } from "./names.ts";
import { MANY, SERVE } from "./option_names.ts";
import type {
  ImageInfoManyOptions,
  ImageOptions,
  ImagesContext,
  ServeImageOptions,
  WarmImagesOptions,
  WarmImagesResult,
} from "./options.ts";
import { readImage } from "./read_image.ts";
import type { SentImage } from "./sent_image.ts";
import { serveImage } from "./serve.ts";
import { type ImageSettings, imageSettings } from "./settings.ts";
import type { OpenedImage } from "./source.ts";
import { warmImages } from "./warm.ts";

/** Images that are read at a time, so that files and memory do not run out. */
const READERS = 16;
/** How often an image that changes under its reader is looked at again. */
const ATTEMPTS = 4;
const READ = "read image info";

/**
 * Metadata of images, always true to the image: one `stat` at most every `revalidateAfter` tells whether what is cached
 * still holds. Whatever a process knows of an image, others need not find out again.
 *
 * @example On a cache of your own
 * ```ts
 * import { Cache, MemoryStore } from "@larder/larder/cache";
 * import { Images } from "@larder/larder/images";
 * import assert from "node:assert/strict";
 *
 * await using cache = new Cache(new MemoryStore());
 * const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>');
 * const images = new Images(cache, {
 *   source: {
 *     stat: () => Promise.resolve({ version: "1" }),
 *     open: () => Promise.resolve({ stat: { version: "1" }, body: new Blob([svg]).stream() }),
 *   },
 * });
 * const { type, width, height } = await images.get("logo.svg");
 * assert.deepEqual({ type, width, height }, { type: "image/svg+xml", width: 40, height: 30 });
 * ```
 */
export class Images {
  readonly #cache: Cache;
  readonly #settings: ImageSettings;
  readonly #stats: StatCache;
  readonly #readers = new Semaphore(READERS);
  readonly #on: EventListener | undefined;

  /**
   * Creates it. `connect()` does it for you, given `images`.
   *
   * @param cache Where metadata are kept; best one with copies in the process.
   * @param options Where images are and how they are looked at.
   * @param context Who is told what happens, a clock.
   * @throws {TypeError | RangeError} If an option is not as it should be.
   */
  constructor(cache: Cache, options: ImageOptions, context: ImagesContext = {}) {
    this.#cache = cache;
    this.#settings = imageSettings(options);
    this.#stats = new StatCache(this.#settings, context.now ?? (() => performance.now()));
    this.#on = safeListener(context.on);
  }

  /**
   * What is known of an image. The image is read only if nobody has read it as it is now.
   *
   * @param name Its name: a path relative to the root, with `/` between its parts, not percent-encoded.
   * @param options A signal.
   * @returns Its size, type, hash, dimensions.
   * @throws {RangeError} If the name could mean anything outside the root.
   * @throws {NotFoundError} If there is no such image.
   * @throws {ImageError} If it is none that can be read.
   */
  async get(name: string, options: OperationOptions = {}): Promise<ImageInfo> {
    assertOptions(options, OPERATION, READ);
    const snapshot = this.#stats.recent(name); // a name with a snapshot was checked before
    if (snapshot && !snapshot.stat) throw notFound(name);
    if (snapshot) {
      const known = await this.#cache.get<Known>(snapshot.key, options);
      if (known && this.#isAsWritten(known, name, snapshot) && !known.changed) {
        return infoFrom(name, known);
      }
    }
    assertImageName(name, READ);
    return infoFrom(name, (await this.#found(name, options.signal)).known);
  }

  /**
   * What is known of several images.
   *
   * @param names Their names.
   * @param options Who is told of those that are absent from the result, a signal.
   * @returns What is known by name; images that are not there or cannot be read are absent.
   * @throws {TypeError | RangeError} If a name cannot be one; then no image is looked at.
   */
  async getMany(names: Iterable<string>, options: ImageInfoManyOptions = {}): Promise<Map<string, ImageInfo>> {
    assertOptions(options, MANY, READ);
    const { onError, signal } = options;
    if (typeof names !== "object" || names === null || !(Symbol.iterator in names)) {
      throw new TypeError(`Cannot ${READ}: wanted several names, got ${describe(names)}`);
    }
    const distinct = [...new Set(names)];
    for (const name of distinct) assertImageName(name, READ);
    const found = await Promise.all(distinct.map(async (name) => {
      try {
        return [name, await this.get(name, { signal })] as const;
      } catch (error) {
        if (!isAnswer(error)) throw error;
        unawaited(onError?.(name, error));
      }
    }));
    return new Map(found.filter((entry) => entry !== undefined));
  }

  /**
   * Forgets an image, or a folder and all that is in it, in all processes: the next call reads it again.
   *
   * @param path The name, or the folder; `""` stands for all images.
   * @param options A signal.
   * @returns How it ended.
   * @throws {TypeError | RangeError} If the path cannot be one.
   */
  async invalidate(path: string, options: OperationOptions = {}): Promise<InvalidationResult> {
    assertOptions(options, OPERATION, "invalidate image info");
    const folder = folderOf(path, "invalidate image info");
    this.#stats.forget(folder);
    const result = await this.#cache.invalidateByTag(tagOf(folder), options);
    this.#stats.forget(folder); // who looked meanwhile may have seen what was before
    return result;
  }

  /**
   * Reads images ahead of time, so many at once.
   *
   * @param images A folder, read with all that is below it, or the names of images. `""` stands for all images.
   * @param options How many at a time, progress, a signal.
   * @returns How many are known now, and how many could not be read.
   * @throws {TypeError | RangeError} If an argument is not as it should be, or the source cannot list what it has.
   */
  async warm(
    images: string | Iterable<string> | AsyncIterable<string> = "",
    options: WarmImagesOptions = {},
  ): Promise<WarmImagesResult> {
    const get = (filename: string) => this.get(filename, { signal: options.signal });
    return await warmImages(get, this.#settings.source, images, options);
  }

  /**
   * Answers a request with an image: with `ETag`, `Last-Modified`, `Content-Type` by content, ranges,
   * `304 Not Modified`, `nosniff`, and a policy for SVG that lets no script run. SVG is compressed for who takes that,
   * SVGZ decompressed for who does not.
   *
   * @param request The request; `GET` or `HEAD`.
   * @param name The name of the image, or nothing for an answer 404: see `imageNameOf()`.
   * @param options Caching, more headers, a signal.
   * @returns The answer. What is not there, has a name that cannot be one or is no image is a 404; an image with
   * something wrong in it is sent
   *   if its first bytes and its name agree what it is.
   * @throws What the source throws when it fails.
   */
  async serve(request: Request, name: string | undefined, options: ServeImageOptions = {}): Promise<Response> {
    assertOptions(options, SERVE, "serve an image");
    return await serveImage((range) => this.#openAs(name, range, options.signal), request, options);
  }

  /** What is known of an image, and on demand the image as it is when that holds. */
  async #openAs(
    name: string | undefined,
    range: ((info: SentImage) => { start: number; end: number } | undefined) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<{ info: SentImage; body?: ReadableStream<Uint8Array> } | undefined> {
    try {
      if (name === undefined) return undefined;
      assertImageName(name, READ);
      for (let attempt = 0;; attempt++) {
        const recent = attempt === 0 ? this.#stats.recent(name) : undefined;
        const { known, snapshot } = await this.#found(name, signal, recent);
        const info = { ...known.image ?? infoFrom(name, known), inflated: known.inflated };
        const wanted = range?.(info);
        if (!wanted) return { info };
        const opened = await this.#settings.source.open(name, { ...wanted, signal });
        if (opened && isSame(opened, snapshot)) return { info, body: opened.body };
        // It changed after it was looked at: the bytes of one image with the headers of another must not go out.
        await opened?.body.cancel();
        this.#stats.forget(name);
        if (attempt === ATTEMPTS) throw new Error(`Cannot serve image ${describe(name)}: it changes all the time`);
      }
    } catch (error) {
      if (isAnswer(error) || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Looks at an image and has it read if nobody did. */
  async #found(
    name: string,
    signal: AbortSignal | undefined,
    recent?: Snapshot,
  ): Promise<{ known: Known; snapshot: Snapshot }> {
    let fresh = false;
    for (let attempt = 0;; attempt++) {
      const snapshot = attempt === 0 && recent ? recent : await abortable(this.#stats.refresh(name), signal);
      if (!snapshot.stat) throw notFound(name);
      const unsteady = this.#settings.verify === "hash" || snapshot.stat.recent ||
        fingerprint(snapshot.stat) === undefined;
      const { revalidateAfter, ttl, errorTtl } = this.#settings;
      const again = Math.max(1, revalidateAfter);
      const forget = unsteady && revalidateAfter === 0; // it may change as soon as it was read
      const known = await this.#cache.getOrSet<Known>(
        snapshot.key,
        (context) => this.#readers.run(() => this.#load(name, snapshot, context, attempt >= ATTEMPTS, forget)),
        {
          ttl: ({ error }) => `${unsteady ? Math.min(again, error ? errorTtl : again) : error ? errorTtl : ttl}ms`,
          staleWhileRevalidate: 0,
          staleIfError: 0,
          beta: 0,
          refreshAhead: 0,
          tags: tagsOf(name),
          fresh,
          signal,
        },
      );
      if (!this.#isAsWritten(known, name, snapshot)) {
        if (attempt > ATTEMPTS) throw new Error(`Cannot read image ${describe(name)}: what is stored of it is damaged`);
        fresh = true;
        continue;
      }
      if (!known.changed) return { known, snapshot };
      if (attempt > ATTEMPTS) throw notFound(name); // it is seen, but cannot be opened
      this.#stats.forget(name);
    }
  }

  #isAsWritten(known: unknown, filename: string, { key }: Snapshot): known is Known {
    return isAsWritten(known, { filename, key, hash: this.#settings.hash }, this.#on);
  }

  /**
   * Reads an image. With `anyhow`, also one that is not as in the snapshot, but then nobody else is given what is
   * found, and neither is anybody who comes later with `forget`.
   */
  async #load(
    name: string,
    snapshot: Snapshot,
    context: LoaderContext<Known>,
    anyhow: boolean,
    forget: boolean,
  ): Promise<Known> {
    const { signal } = context;
    const opened = await this.#settings.source.open(name, { signal });
    if (!opened) return context.skip({ changed: true });
    if (!isSame(opened, snapshot) && !anyhow) {
      await opened.body.cancel();
      return context.skip({ changed: true });
    }
    const known = await this.#read(name, opened, signal);
    const changed = await opened.unchanged?.() === false;
    if (changed && !anyhow) return context.skip({ changed: true });
    if (known instanceof Error) throw known;
    if (changed || !isSame(opened, snapshot)) return context.skip(known);
    const { info } = known;
    if (info?.mismatch) this.#on?.({ type: "image.mismatch", filename: name, wanted: info.mismatch, got: info.type });
    return forget ? context.skip(known) : known;
  }

  /** Reads an image; what it throws is given back, as it may come of a change. */
  async #read(name: string, opened: OpenedImage, signal: AbortSignal): Promise<Known | Error> {
    try {
      const result = await readImage(name, opened, this.#settings, signal);
      if ("info" in result) return result;
      const { error, image, inflated } = result;
      this.#on?.({ type: "image.error", filename: name, error });
      return { error: { reason: error.reason, detail: error.detail }, ...(image && { image, inflated }) };
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}
