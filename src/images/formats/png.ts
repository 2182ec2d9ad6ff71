import { BadImage, type Parser } from "./parser.ts";
import { hasText, need, view } from "./bytes.ts";
import { exifOrientation } from "./exif.ts";

/** Chunks after which nobody looks any further. */
const CHUNKS = 25_000;
const EXIF_MOST = 2 ** 16;

/** PNG and APNG (W3C, "Portable Network Graphics Specification, Third Edition"). */
export function* parsePng(): Parser {
  const header = yield* need(8, 25, "a PNG header");
  const data = view(header);
  if (!hasText(header, 4, "IHDR") || data.getUint32(0) !== 13) {
    throw new BadImage("invalid", "IHDR as the first chunk of a PNG");
  }
  const shape = { type: "image/png", width: data.getUint32(8), height: data.getUint32(12) };
  let orientation: number | undefined;
  let at = 33;
  for (let i = 0; i < CHUNKS; i++) {
    const chunk = yield { at, length: 8 };
    if (chunk.length < 8) return { ...shape, orientation, truncated: true };
    const length = view(chunk).getUint32(0);
    if (hasText(chunk, 4, "IEND")) {
      const rest = yield { at: at + 8, length: 4 };
      return { ...shape, orientation, truncated: rest.length < 4 };
    }
    if (length > 0x7fff_ffff) break;
    if (hasText(chunk, 4, "eXIf") && length <= EXIF_MOST) orientation ??= exifOrientation(yield { at: at + 8, length });
    at += 12 + length;
  }
  return { ...shape, orientation, truncated: true };
}
