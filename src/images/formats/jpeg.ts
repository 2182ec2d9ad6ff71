import { BadImage, type Parser, type Shape } from "./parser.ts";
import { hasText, need, view } from "./bytes.ts";
import { exifOrientation } from "./exif.ts";

/** Segments after which nobody looks any further. */
const SEGMENTS = 10_000;
const START_OF_SCAN = 0xda;
const END = 0xd9;
const EXIF = 0xe1;

/** Start of frame: all of C0 to CF but three that are something else. */
const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Markers that no length follows, and that say nothing where they stand: TEM, restarts, a second start of image. */
const isAlone = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);

/** What may come between scans: tables, restart interval, number of lines, the next scan, applications, comments. */
const isBetweenScans = (marker: number) =>
  marker === 0xc4 || marker === 0xcc || (marker >= START_OF_SCAN && marker <= 0xdd) ||
  (marker >= 0xe0 && marker <= 0xfe);

/** JPEG (ITU-T T.81) with EXIF (CIPA DC-008). Complete is what has its own end of image, whatever lies behind that. */
export function* parseJpeg(): Parser {
  let size: { width: number; height: number } | undefined;
  let orientation: number | undefined;
  let exif = false;
  let scanned = false;
  let at = 2;
  const shape = (truncated: boolean): Shape => {
    if (!size) throw new BadImage("truncated", "a frame in a JPEG, got none");
    return { type: "image/jpeg", ...size, orientation, truncated };
  };
  for (let i = 0; i < SEGMENTS; i++) {
    const search = new MarkerSearch(at);
    yield { at, length: 0, scan: (bytes) => search.scan(bytes) };
    const { marker } = search;
    if (marker === undefined) break;
    if (marker === END) return shape(!scanned);
    if (scanned && !isBetweenScans(marker)) break; // what is coded ended without an end of image
    at = search.at;
    const start = yield { at, length: 2 };
    const length = start.length < 2 ? 0 : view(start).getUint16(0);
    if (length < 2) break;
    if (marker === START_OF_SCAN) {
      if (!size) break;
      scanned = true;
    } else if (isFrame(marker) && !size) {
      const header = yield* need(at + 2, 6, "a JPEG frame header");
      const frame = view(header);
      size = { height: frame.getUint16(1), width: frame.getUint16(3) };
      const components = header[5]!;
      const [precision, isUsual] = [header[0]!, marker <= 0xc2];
      if ((isUsual && precision !== 8 && precision !== 12) || components < 1 || components > 4) {
        throw new BadImage("invalid", "a JPEG frame of 1 to 4 components of 8 or 12 bits");
      }
      const factors = yield { at: at + 8, length: components * 3 };
      for (let i = 1; i < factors.length; i += 3) {
        const [across, down] = [factors[i]! >>> 4, factors[i]! & 15];
        if (across < 1 || across > 4 || down < 1 || down > 4) {
          throw new BadImage("invalid", "sampling factors of 1 to 4 in a JPEG");
        }
      }
    } else if (marker === EXIF && !exif) {
      const segment = yield { at: at + 2, length: length - 2 };
      exif = hasText(segment, 0, "Exif\0"); // the first counts, whatever it says
      if (exif) orientation = exifOrientation(segment);
    }
    at += length;
  }
  return shape(true);
}

/** Looks for the next marker, as libjpeg does: past what is coded, and past stray bytes between segments. */
class MarkerSearch {
  /** The marker, once it is found. */
  marker: number | undefined;
  /** The offset behind it. */
  at: number;
  /** Whether the byte before was FF. */
  #prefixed = false;

  constructor(at: number) {
    this.at = at;
  }

  scan(bytes: Uint8Array): boolean {
    let i = 0;
    while (i < bytes.length) {
      if (!this.#prefixed) {
        const next = bytes.indexOf(0xff, i);
        if (next < 0) break;
        this.#prefixed = true;
        i = next + 1;
        continue;
      }
      const byte = bytes[i++]!;
      if (byte === 0xff) continue; // fill bytes may come before a marker
      this.#prefixed = false;
      if (byte === 0 || isAlone(byte)) continue; // FF 00 is a coded FF
      this.marker = byte;
      this.at += i;
      return true;
    }
    this.at += bytes.length;
    return false;
  }
}
