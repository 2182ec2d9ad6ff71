import { BadImage, type Parser } from "./parser.ts";
import { need, reaches, view } from "./bytes.ts";

/** BITMAPCOREHEADER of OS/2 1: widths of two bytes. */
const CORE_HEADER = 12;
/** The shortest header of OS/2 2; those of Windows are longer. */
const SHORT_HEADER = 16;
/** Bytes of a header behind its length in which all that is looked for lies: up to the length of the pixels. */
const NEEDED = 20;
/** Bits of a pixel that there are; 0 where they are those of a JPEG or PNG inside. */
const DEPTHS = [0, 1, 2, 4, 8, 16, 24, 32];
/** Of BI_RLE8 and BI_RLE4. */
const DEPTH_OF_RUNS: Readonly<Record<number, number>> = { 1: 8, 2: 4 };
/** BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS. */
const UNCOMPRESSED = [0, 3, 6];

/** BMP with a header of OS/2 (12, or 16 to 64 bytes) or Windows (40 and more). */
export function* parseBmp(): Parser {
  const file = view(yield* need(10, 8, "a BMP header"));
  const [pixels, header] = [file.getUint32(0, true), file.getUint32(4, true)];
  const type = "image/bmp";
  if (header === CORE_HEADER) {
    const core = view(yield* need(18, 8, "a BMP header"));
    const [width, height] = [core.getUint16(0, true), core.getUint16(2, true)];
    const truncated = !(yield* reaches(pixels + bytesOf(width, height, core.getUint16(6, true))));
    return { type, width, height, truncated };
  }
  if (header < SHORT_HEADER || header > 1024) throw new BadImage("invalid", "a known BMP header");
  const length = Math.min(header - 4, NEEDED);
  const info = new DataView(new ArrayBuffer(NEEDED)); // what a short one does not say is 0
  new Uint8Array(info.buffer).set(yield* need(18, length, "a BMP header"));
  const [width, height] = [info.getInt32(0, true), Math.abs(info.getInt32(4, true))]; // negative: from top to bottom
  const [depth, compression] = [info.getUint16(10, true), info.getUint32(12, true)];
  const compressed = !UNCOMPRESSED.includes(compression);
  const isKnown = DEPTHS.includes(depth) && (depth > 0 || compressed) && compression <= 13;
  if (!isKnown || (DEPTH_OF_RUNS[compression] ?? depth) !== depth) {
    throw new BadImage("invalid", "a BMP of a known depth and compression");
  }
  // How long compressed pixels are, stands there, or nowhere.
  const coded = Math.max(1, info.getUint32(16, true));
  const end = pixels + (compressed ? coded : bytesOf(width, height, depth));
  return { type, width, height, truncated: !(yield* reaches(end)) };
}

/** Bytes of the pixels; each line takes a multiple of four. */
function bytesOf(width: number, height: number, depth: number): number {
  return Math.ceil(width * depth / 32) * 4 * height;
}
