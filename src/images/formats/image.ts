import { BadImage, type Parser } from "./parser.ts";
import { parseBmp } from "./bmp.ts";
import { hasText } from "./bytes.ts";
import { parseGif } from "./gif.ts";
import { heifType, parseHeif } from "./heif.ts";
import { isIco, parseIco } from "./ico.ts";
import { parseJpeg } from "./jpeg.ts";
import { isJxl, parseJxl } from "./jxl.ts";
import { parsePng } from "./png.ts";
import { parseSvg } from "./svg.ts";
import { parseTiff } from "./tiff.ts";
import { parseWebp } from "./webp.ts";

/** How the files of a format begin. */
type Start = readonly [start: string, type: string];

const FIRST: readonly Start[] = [
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["GIF87a", "image/gif"],
  ["GIF89a", "image/gif"],
];
/** What is so short, or so plain, that others are asked first. */
const LAST: readonly Start[] = [
  ["II*\0", "image/tiff"],
  ["MM\0*", "image/tiff"],
  ["BM", "image/bmp"],
];
const BIG_TIFF = ["II+\0", "MM\0+"];

const PARSERS: Readonly<Record<string, (type: string) => Parser>> = {
  "image/png": parsePng,
  "image/jpeg": parseJpeg,
  "image/gif": parseGif,
  "image/webp": parseWebp,
  "image/avif": parseHeif,
  "image/heic": parseHeif,
  "image/heif": parseHeif,
  "image/jxl": parseJxl,
  "image/tiff": parseTiff,
  "image/bmp": parseBmp,
  "image/vnd.microsoft.icon": parseIco,
};

/** The MIME type that the first bytes of a file say. SVG is text, and says nothing there; nor does BigTIFF. */
export function typeOfStart(head: Uint8Array): string | undefined {
  const begins = ([start]: Start) => hasText(head, 0, start);
  const first = FIRST.find(begins)?.[1];
  if (first !== undefined) return first;
  if (hasText(head, 0, "RIFF") && hasText(head, 8, "WEBP")) return "image/webp";
  const heif = hasText(head, 4, "ftyp") ? heifType(head) : undefined;
  if (heif !== undefined) return heif;
  if (isJxl(head)) return "image/jxl";
  return LAST.find(begins)?.[1] ?? (isIco(head) ? "image/vnd.microsoft.icon" : undefined);
}

/** Tells the format by its first bytes and reads its header. */
export function* parseImage(): Parser {
  const head = yield { at: 0, length: 64 };
  if (head.length === 0) throw new BadImage("empty", "an image, got no bytes");
  if (BIG_TIFF.some((start) => hasText(head, 0, start))) return yield* parseTiff();
  const type = typeOfStart(head);
  return yield* type === undefined ? parseSvg() : PARSERS[type]!(type);
}
