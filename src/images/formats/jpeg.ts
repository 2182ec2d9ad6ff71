import { BadImage, type Parser } from "./parser.ts";
import { hasText, need, view } from "./bytes.ts";
import { exifOrientation } from "./exif.ts";

/** Segments after which nobody looks any further. */
const SEGMENTS = 10_000;
const START_OF_SCAN = 0xda;
const END = 0xd9;
const EXIF = 0xe1;
/** The end of image is among so many last bytes: some cameras put more behind it. */
const TAIL = 2 ** 16;

/** Start of frame: all of C0 to CF but three that are something else. */
const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Markers that no length follows. */
const isAlone = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);

/** JPEG (ITU-T T.81) with EXIF (CIPA DC-008). */
export function* parseJpeg(): Parser {
  let size: { width: number; height: number } | undefined;
  let orientation: number | undefined;
  let at = 2;
  for (let i = 0; i < SEGMENTS; i++) {
    const [prefix, marker] = yield { at, length: 2 };
    if (prefix === undefined || marker === undefined) break;
    if (prefix !== 0xff) {
      if (size) break;
      throw new BadImage("invalid", `a marker in a JPEG at ${at}`);
    }
    if (marker === 0xff || isAlone(marker)) {
      at += marker === 0xff ? 1 : 2; // fill bytes may come before a marker
      continue;
    }
    if (marker === END) break;
    const start = yield { at: at + 2, length: 2 };
    const length = start.length < 2 ? 0 : view(start).getUint16(0);
    if (length < 2) break;
    if (marker === START_OF_SCAN) {
      if (!size) break;
      const tail = yield { at: at + 2 + length, length: TAIL, last: true };
      return { type: "image/jpeg", ...size, orientation, truncated: !hasEnd(tail) };
    }
    if (isFrame(marker) && !size) {
      const frame = view(yield* need(at + 4, 5, "a JPEG frame header"));
      size = { height: frame.getUint16(1), width: frame.getUint16(3) };
    } else if (marker === EXIF && orientation === undefined) {
      const segment = yield { at: at + 4, length: length - 2 };
      if (hasText(segment, 0, "Exif\0\0")) orientation = exifOrientation(segment);
    }
    at += 2 + length;
  }
  if (!size) throw new BadImage("truncated", "a frame in a JPEG, got none");
  return { type: "image/jpeg", ...size, orientation, truncated: true };
}

/** Whether there is an end of image. In what is coded, FF is never followed by D9. */
function hasEnd(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) if (bytes[at + 1] === END) return true;
  return false;
}
