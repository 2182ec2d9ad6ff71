import { BadImage, type Parser } from "./parser.ts";
import { need, reaches, view } from "./bytes.ts";

const CORE_HEADER = 12;
const INFO_HEADER = 40;
/** BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS. */
const UNCOMPRESSED = [0, 3, 6];

/** BMP with the header of OS/2 (BITMAPCOREHEADER) or Windows (BITMAPINFOHEADER and later). */
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
  if (header < INFO_HEADER || header > 1024) throw new BadImage("invalid", "a known BMP header");
  const info = view(yield* need(18, 16, "a BMP header"));
  const [width, height] = [info.getInt32(0, true), Math.abs(info.getInt32(4, true))]; // negative: from top to bottom
  const compressed = !UNCOMPRESSED.includes(info.getUint32(12, true));
  const end = compressed ? pixels + 1 : pixels + bytesOf(width, height, info.getUint16(10, true));
  return { type, width, height, truncated: !(yield* reaches(end)) };
}

/** Bytes of the pixels; each line takes a multiple of four. */
function bytesOf(width: number, height: number, depth: number): number {
  return Math.ceil(width * depth / 32) * 4 * height;
}
