import { BadImage, type Parser } from "./parser.ts";
import { hasText, need, reaches, view } from "./bytes.ts";
import { validOrientation } from "./exif.ts";

const WIDTH = 256;
const HEIGHT = 257;
const STRIP_OFFSETS = 273;
const ORIENTATION = 274;
const STRIP_BYTES = 279;
const SHORT = 3;
const LONG = 4;
/** Bytes of a value by type. */
const BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];
/** The most entries of a directory that are looked at. */
const ENTRIES = 4096;

/** TIFF (Adobe, "TIFF Revision 6.0"): the first image of the file. Its directory is often at the end. */
export function* parseTiff(): Parser {
  const head = yield* need(0, 8, "a TIFF header");
  const little = hasText(head, 0, "II");
  const directory = view(head).getUint32(4, little);
  if (directory < 8) throw new BadImage("invalid", "a TIFF directory behind the header");
  const count = view(yield* need(directory, 2, "a TIFF directory")).getUint16(0, little);
  if (count === 0 || count > ENTRIES) throw new BadImage("invalid", `a TIFF directory of 1 to ${ENTRIES} entries`);
  const entries = view(yield* need(directory + 2, count * 12, "a TIFF directory"));
  const values = new Map<number, number>();
  let end = 0;
  for (let at = 0; at < entries.byteLength; at += 12) {
    const type = entries.getUint16(at + 2, little);
    const amount = entries.getUint32(at + 4, little);
    const bytes = amount * (BYTES[type] ?? 0);
    if (bytes > 4) end = Math.max(end, entries.getUint32(at + 8, little) + bytes); // it lies elsewhere
    if (amount !== 1) continue;
    if (type === SHORT) values.set(entries.getUint16(at, little), entries.getUint16(at + 8, little));
    if (type === LONG) values.set(entries.getUint16(at, little), entries.getUint32(at + 8, little));
  }
  const [width, height] = [values.get(WIDTH), values.get(HEIGHT)];
  if (width === undefined || height === undefined) throw new BadImage("invalid", "a width and a height in a TIFF");
  // Of an image in several strips, the end is that of what the directory points to.
  end = Math.max(end, (values.get(STRIP_OFFSETS) ?? 0) + (values.get(STRIP_BYTES) ?? 0));
  const read = directory + 2 + count * 12; // is there: what lies before it passed by already
  return {
    type: "image/tiff",
    width,
    height,
    orientation: validOrientation(values.get(ORIENTATION) ?? 0),
    truncated: end > read && !(yield* reaches(end)),
  };
}
