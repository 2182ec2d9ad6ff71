import type { ImageInfo } from "./info.ts";

/** What has to be known of an image to send it. */
export type SentImage = Pick<ImageInfo, "size" | "type" | "etag" | "timestamp" | "encoding"> & {
  /** How many bytes it becomes where it is compressed as a whole. */
  readonly inflated?: number | undefined;
};
