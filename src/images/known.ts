import { ImageError, type ImageErrorReason } from "../errors.ts";
import type { ImageInfo } from "./info.ts";

/** What is cached of an image: what is known, or why nothing is. */
export interface Known {
  readonly info?: ImageInfo;
  readonly error?: { readonly reason: ImageErrorReason; readonly detail: string };
  /** That it changed between its snapshot and its reading, so that nothing is known after all. */
  readonly changed?: true;
}

/** What is known, or the error that there was. */
export function infoFrom(name: string, { info, error }: Known): ImageInfo {
  if (error) throw new ImageError(name, error.reason, error.detail);
  return Object.freeze(info!);
}
