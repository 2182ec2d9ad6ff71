/**
 * Metadata of images, cached and always true to the image: size, MIME type by content, hash, dimensions, orientation
 * and ETag of PNG, JPEG, GIF, WebP, AVIF, HEIC, JPEG XL, SVG, BMP, TIFF and ICO; and a way to serve them.
 *
 * With `connect({ images: { root: "./public/images" } })`, all of it is on `redis.cache`.
 *
 * @example Serve a folder of images
 * ```ts
 * import { connect } from "@larder/larder";
 * import { imageNameOf } from "@larder/larder/images";
 *
 * const redis = await connect({ images: { root: "./public/images" } });
 * Deno.serve((request) => redis.cache.serveImage(request, imageNameOf(request, "/images/")));
 *
 * // GET /images/logo.png → 200
 * ```
 *
 * @module
 */
export * from "./image_cache.ts";
export * from "./images.ts";
export * from "./info.ts";
export * from "./options.ts";
export * from "./source.ts";
export { fileSource } from "./file_source.ts";
export * from "./http_source.ts";
export { imageNameOf } from "./names.ts";
export { type ClosedBy, ImageError, type ImageErrorReason, NotFoundError } from "../errors.ts";
