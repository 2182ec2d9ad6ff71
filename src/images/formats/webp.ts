import { BadImage, type Parser } from "./parser.ts";
import { hasText, need, reaches, view } from "./bytes.ts";
import { exifOrientation } from "./exif.ts";

const CHUNKS = 10_000;
const EXIF_MOST = 2 ** 16;
const HAS_EXIF = 0x08;
const IS_ANIMATED = 0x02;

/** WebP (RFC 9649). */
export function* parseWebp(): Parser {
  const riff = view(yield* need(4, 4, "a WebP header")).getUint32(0, true);
  const chunk = (yield* need(12, 8, "a WebP chunk")).slice();
  const length = view(chunk).getUint32(4, true);
  const type = "image/webp";
  if (hasText(chunk, 0, "VP8 ")) {
    const frame = yield* need(20, 10, "a VP8 frame header");
    if (length < 10 || !hasText(frame, 3, "\x9d\x01\x2a")) throw new BadImage("invalid", "a VP8 key frame in a WebP");
    const data = view(frame);
    const size = { width: data.getUint16(6, true) & 0x3fff, height: data.getUint16(8, true) & 0x3fff };
    return { type, ...size, truncated: !(yield* reaches(riff + 8)) };
  }
  if (hasText(chunk, 0, "VP8L")) {
    const frame = yield* need(20, 5, "a VP8L header");
    if (length < 5 || frame[0] !== 0x2f) throw new BadImage("invalid", "a VP8L signature in a WebP");
    const bits = view(frame).getUint32(1, true);
    const size = { width: (bits & 0x3fff) + 1, height: (bits >>> 14 & 0x3fff) + 1 };
    return { type, ...size, truncated: !(yield* reaches(riff + 8)) };
  }
  if (!hasText(chunk, 0, "VP8X")) throw new BadImage("invalid", "a chunk VP8, VP8L or VP8X in a WebP");
  const canvas = (yield* need(20, 10, "a VP8X header")).slice();
  const data = view(canvas);
  const size = { width: (data.getUint32(3, true) >>> 8) + 1, height: (data.getUint32(6, true) >>> 8) + 1 };
  const animated = (canvas[0]! & IS_ANIMATED) !== 0;
  const exif = (canvas[0]! & HAS_EXIF) !== 0;
  const told = animated || exif ? yield* chunksOf(riff + 8, 20 + length) : undefined;
  return {
    type,
    ...size,
    // Browsers do not apply EXIF of WebP.
    ...(exif && told?.orientation !== undefined && { orientation: told.orientation, orientationIgnored: true }),
    ...(animated && { animated: told!.frames > 1, frames: told!.frames }),
    truncated: !(yield* reaches(riff + 8)),
  };
}

/** The orientation in the EXIF chunk, which comes after the pixels, and how many frames there are. */
function* chunksOf(end: number, first: number): Parser<{ orientation?: number | undefined; frames: number }> {
  let at = first + first % 2;
  let orientation: number | undefined;
  let frames = 0;
  for (let i = 0; i < CHUNKS && at + 8 <= end; i++) {
    const chunk = yield { at, length: 8 };
    if (chunk.length < 8) break;
    const length = view(chunk).getUint32(4, true);
    if (hasText(chunk, 0, "ANMF")) frames++;
    else if (hasText(chunk, 0, "EXIF") && length <= EXIF_MOST && orientation === undefined) {
      orientation = exifOrientation(yield { at: at + 8, length });
    }
    at += 8 + length + length % 2;
  }
  return { orientation, frames };
}
