import { Cache } from "../cache/cache.ts";
import type { CacheOptions, InvalidationResult, OperationOptions } from "../cache/options.ts";
import type { CacheStore } from "../cache/store.ts";
import type { ClosedBy } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import { Images } from "./images.ts";
import type { ImageInfo } from "./info.ts";
import type {
  ImageInfoManyOptions,
  ImageOptions,
  ServeImageOptions,
  WarmImagesOptions,
  WarmImagesResult,
} from "./options.ts";

/**
 * A cache that knows images too: what `connect()` gives. Metadata of images have the tags `image`, `image:<folder>` for
 * each folder that they are in, and `image:<name>`.
 *
 * @example An image on disk
 * ```ts ignore
 * import { connect } from "@larder/larder";
 *
 * await using redis = await connect({ images: { root: "./public/images" } });
 * const { width, height, type, hash } = await redis.cache.getImageInfo("logo.png");
 * ```
 */
export class ImageCache extends Cache {
  readonly #images: Images | undefined;
  #copies: Cache | undefined;

  /**
   * Creates a cache. `connect()` does it for you.
   *
   * @param store Where entries are kept; disposed of with the cache.
   * @param options How it works.
   * @param images Where images are; without it, those methods reject.
   * @param on Told what happens.
   * @throws {TypeError | RangeError} If an option is not as it should be.
   */
  constructor(store: CacheStore, options: CacheOptions, images: ImageOptions | undefined, on?: EventListener) {
    super(store, options, on);
    if (!images) return;
    // Metadata are copied in the process even where nothing else is, but for stores where that makes no sense.
    if (!options.local && store.kind !== "memory") this.#copies = new Cache(store, { ...options, local: true }, on);
    this.#images = new Images(this.#copies ?? this, images, { on });
  }

  /**
   * What is known of an image: its size, type, hash, time, width, height, orientation and ETag. True to the image: it
   * is looked at when the last look is older than `revalidateAfter`, and read again when it changed. See
   * {@linkcode Images.get}.
   *
   * @param name Its name: a path relative to the root, with `/` between its parts, not percent-encoded.
   * @param options A signal.
   * @returns What is known.
   * @throws {RangeError} If the name could mean anything outside the root.
   * @throws {NotFoundError} If there is no such image.
   * @throws {ImageError} If it is none that can be read.
   */
  async getImageInfo(name: string, options: OperationOptions = {}): Promise<ImageInfo> {
    return await this.#of("read image info").get(name, options);
  }

  /**
   * What is known of several images. See {@linkcode Images.getMany}.
   *
   * @param names Their names.
   * @param options Who is told of those that are absent from the result, a signal.
   * @returns What is known by name; images that are not there or cannot be read are absent.
   * @throws {TypeError | RangeError} If a name cannot be one; then no image is looked at.
   */
  async getImageInfoMany(
    names: Iterable<string>,
    options: ImageInfoManyOptions = {},
  ): Promise<Map<string, ImageInfo>> {
    return await this.#of("read image info").getMany(names, options);
  }

  /**
   * Forgets an image, or a folder and all that is in it, in all processes. See {@linkcode Images.invalidate}.
   *
   * @param path The name, or the folder; `""` stands for all images.
   * @param options A signal.
   * @returns How it ended.
   * @throws {TypeError | RangeError} If the path cannot be one.
   */
  async invalidateImage(path: string, options: OperationOptions = {}): Promise<InvalidationResult> {
    return await this.#of("invalidate image info").invalidate(path, options);
  }

  /**
   * Reads images ahead of time, so many at once. See {@linkcode Images.warm}.
   *
   * @param images A folder, read with all that is below it, or the names of images. `""` stands for all images.
   * @param options How many at a time, progress, a signal.
   * @returns How many are known now, and how many could not be read.
   * @throws {TypeError | RangeError} If an argument is not as it should be, or the source cannot list what it has.
   */
  async warmImages(
    images: string | Iterable<string> | AsyncIterable<string> = "",
    options: WarmImagesOptions = {},
  ): Promise<WarmImagesResult> {
    return await this.#of("warm the images").warm(images, options);
  }

  /**
   * Answers a request with an image. See {@linkcode Images.serve}.
   *
   * @param request The request; `GET` or `HEAD`.
   * @param name The name of the image, or nothing for an answer 404: see `imageNameOf()`.
   * @param options Caching, more headers, a signal.
   * @returns The answer. What is not there, has a name that cannot be one or is no image is a 404.
   * @throws What the source throws when it fails.
   */
  async serveImage(request: Request, name: string | undefined, options: ServeImageOptions = {}): Promise<Response> {
    return await this.#of("serve an image").serve(request, name, options);
  }

  /**
   * Tells loaders to stop and closes the store.
   *
   * @param by What closes it, for the errors of those who come later.
   */
  override async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    await this.#copies?.[Symbol.asyncDispose](by);
    await super[Symbol.asyncDispose](by);
  }

  #of(action: string): Images {
    if (this.#images) return this.#images;
    throw new TypeError(`Cannot ${action}: wanted the option "images" of connect(), got none`);
  }
}
