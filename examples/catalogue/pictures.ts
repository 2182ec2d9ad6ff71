import { displaySize, type ImageCache, type ImageInfo, NotFoundError } from "@larder/larder";
import { count, duration, type Report } from "./report.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** Where the pictures are. */
export const PICTURES: URL = new URL("./pictures/", import.meta.url);

/** Their names. */
export const PICTURE_NAMES: readonly string[] = [
  "logo.svg",
  "cheese/parmigiano.jpg",
  "espresso.webp",
  "tea.avif",
  "label.png",
];

/** What the step works with: a cache that knows where images are. */
export interface PicturesScene {
  cache: ImageCache;
  /** How many pictures have been read so far. */
  reads: () => number;
  report: Report;
  watch: Stopwatch;
}

/** Metadata of images: what a page needs to know of a picture before it is loaded, and how to serve it. */
export async function pictures({ cache, reads, report, watch }: PicturesScene): Promise<void> {
  report.step("Image metadata: size, type, dimensions and hash, read once and true to the file");
  const { stored, failed } = await cache.warmImages();
  report.claim(`${stored} pictures are known ahead of time`, stored === PICTURE_NAMES.length && failed === 0);

  const infos = await Promise.all(PICTURE_NAMES.map((name) => cache.getImageInfo(name)));
  for (const info of infos) report.note(line(info));
  const photo = infos[1]!;
  const { width, height } = displaySize(photo);
  report.claim(
    `The photo is stored as ${photo.width} x ${photo.height} and shown upright as ${width} x ${height}`,
    photo.width === 640 && photo.orientation === 6 && width === 480 && height === 640,
  );

  const before = reads();
  const known = await watch.inTurn("image info, known", 1000, () => cache.getImageInfo("cheese/parmigiano.jpg"));
  report.claim(
    `1,000 more questions take ${duration(known.p50)} each, and the photo is read ${reads() - before} times`,
    known.values.every(({ hash }) => hash === photo.hash) && reads() === before,
  );

  const request = (headers: HeadersInit = {}) => new Request("http://localhost/tea.avif", { headers });
  const first = await cache.serveImage(request(), "tea.avif");
  const bytes = new Uint8Array(await first.arrayBuffer());
  const etag = first.headers.get("etag") ?? "";
  const second = await cache.serveImage(request({ "if-none-match": etag }), "tea.avif");
  report.claim(
    `A browser gets ${count(bytes.length)} bytes of ${first.headers.get("content-type")} once, then ${second.status}`,
    first.status === 200 && bytes.length === infos[3]!.size && second.status === 304,
  );

  const outside = await cache.getImageInfo("../main.ts").catch((error) => error);
  const missing = await cache.getImageInfo("fish.png").catch((error) => error);
  report.claim(
    "What lies outside the folder, or is not there, is refused",
    outside instanceof RangeError && missing instanceof NotFoundError,
  );
}

function line({ filename, type, width, height, size, hash }: ImageInfo): string {
  const dimensions = `${width} x ${height}`;
  return `${filename.padEnd(22)} ${type.padEnd(14)} ${dimensions.padStart(9)} ${`${count(size)} B`.padStart(9)}  ${
    hash.slice(0, 12)
  }…`;
}
