import { BadImage, type Parser, type Shape } from "./parser.ts";
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
    if (hasText(chunk, 4, "IEND")) return shape((yield { at: at + 8, length: 4 }).length < 4);
    if (length > 0x7fff_ffff) break;
    if (hasText(chunk, 4, "IDAT")) pixels = true;
    else if (hasText(chunk, 4, "acTL") && !pixels && length >= 4 && frames === undefined) {
      const control = yield { at: at + 8, length: 4 };
      if (control.length === 4) frames = view(control).getUint32(0);
    } else if (hasText(chunk, 4, "eXIf") && length <= EXIF_MOST && !orientation) {
      const value = exifOrientation(yield { at: at + 8, length });
      // Browsers have shown the pixels by the time they come to EXIF behind them.
      if (value !== undefined) orientation = { orientation: value, orientationIgnored: pixels };
    }
    at += 12 + length;
  }
  return shape(true);
}
