import { BadImage, type Parser, type Shape } from "./parser.ts";
import { hasText, need, view } from "./bytes.ts";
import { crc32 } from "./crc32.ts";
import { exifOrientation } from "./exif.ts";

/** Chunks after which nobody looks any further. */
const CHUNKS = 25_000;
const EXIF_MOST = 2 ** 16;
/** Bits of a sample that there may be, by the type of colour. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/** PNG and APNG (W3C, "Portable Network Graphics Specification, Third Edition"). */
export function* parsePng(): Parser {
  const header = (yield* need(8, 25, "a PNG header")).slice();
  const data = view(header);
  if (!hasText(header, 4, "IHDR") || data.getUint32(0) !== 13) {
    throw new BadImage("invalid", "IHDR as the first chunk of a PNG");
  }
  assertHeader(header);
  const size = { type: "image/png", width: data.getUint32(8), height: data.getUint32(12) };
  let orientation: { orientation: number; orientationIgnored: boolean } | undefined;
  let frames: number | undefined;
  let pixels = false;
  const shape = (truncated: boolean): Shape => ({
    ...size,
    ...orientation,
    ...(frames !== undefined && { frames, animated: frames > 1 }),
    truncated,
  });
  let at = 33;
  for (let i = 0; i < CHUNKS; i++) {
    const chunk = yield { at, length: 8 };
    if (chunk.length < 8) return shape(true);
    const length = view(chunk).getUint32(0);
    if (hasText(chunk, 4, "IEND")) {
      if (!pixels) throw new BadImage("invalid", "pixels before the end of a PNG");
      return shape((yield { at: at + 8, length: 4 }).length < 4);
    }
    if (length > 0x7fff_ffff) break;
    if (hasText(chunk, 4, "IDAT")) pixels = true;
    else if (hasText(chunk, 4, "acTL") && !pixels && length >= 4 && frames === undefined) {
      const control = yield { at: at + 8, length: 4 };
      if (control.length === 4) frames = view(control).getUint32(0);
    } else if (hasText(chunk, 4, "eXIf") && length <= EXIF_MOST && !orientation) {
      const type = chunk.slice(4);
      const exif = yield { at: at + 8, length: length + 4 };
      const data = exif.subarray(0, length);
      // Browsers pass what has another checksum.
      const value = checks(exif, crc32(type, data)) ? exifOrientation(data) : undefined;
      // Browsers have shown the pixels by the time they come to EXIF behind them.
      if (value !== undefined) orientation = { orientation: value, orientationIgnored: pixels };
    }
    at += 12 + length;
  }
  return shape(true);
}

/** Checks IHDR: what is wrong there is refused by all who show images. */
function assertHeader(header: Uint8Array): void {
  const [depth, colour, compression, filter, interlace] = header.subarray(16);
  const known = DEPTHS[colour!]?.includes(depth!) && compression === 0 && filter === 0 && interlace! <= 1;
  if (!known) throw new BadImage("invalid", "a known kind of PNG");
  if (!checks(header, crc32(header.subarray(4, 21)))) throw new BadImage("invalid", "the checksum of a PNG header");
}

/** Whether a chunk ends with a checksum. */
function checks(chunk: Uint8Array, crc: number): boolean {
  return chunk.length >= 4 && view(chunk).getUint32(chunk.length - 4) === crc;
}
