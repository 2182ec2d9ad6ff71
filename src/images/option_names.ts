import { type OptionNames, optionNames } from "../util/option_names.ts";
import type { ImageInfoManyOptions, ImageOptions, ServeImageOptions, WarmImagesOptions } from "./options.ts";

// The order is that in which a message names them.

export const MANY: OptionNames = optionNames<ImageInfoManyOptions>({ onError: true, signal: true });
export const WARM: OptionNames = optionNames<WarmImagesOptions>({ concurrency: true, onProgress: true, signal: true });
export const SERVE: OptionNames = optionNames<ServeImageOptions>({ cacheControl: true, headers: true, signal: true });
export const IMAGES: OptionNames = optionNames<ImageOptions>({
  root: true,
  source: true,
  hash: true,
  maxBytes: true,
  maxPixels: true,
  revalidateAfter: true,
  verify: true,
  ttl: true,
  errorTtl: true,
  staleIfError: true,
});
