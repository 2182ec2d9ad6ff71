import { BadImage, type Parser } from "./parser.ts";
import { hasText, need, reaches, view } from "./bytes.ts";
import { validOrientation } from "./exif.ts";

const WIDTH = 256;
const HEIGHT = 257;
const STRIP_OFFSETS = 273;
const ORIENTATION = 274;
const STRIP_BYTES = 279;
/** Bytes of a value by type. */
const BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
/** The most entries of a directory that are looked at. */
const ENTRIES = 4096;

/** How numbers lie in a file: TIFF, or BigTIFF with offsets of eight bytes. */
interface Layout {
  readonly little: boolean;
  readonly big: boolean;
}

/**
 * TIFF (Adobe, "TIFF Revision 6.0") and BigTIFF: the first image of the file. Its directory is often at the end.
 */
export function* parseTiff(): Parser {
  const head = (yield* need(0, 8, "a TIFF header")).slice();
  const little = hasText(head, 0, "II");
  const big = view(head).getUint16(2, little) === 43;
  const layout = { little, big };
  if (big && view(head).getUint16(4, little) !== 8) throw new BadImage("invalid", "offsets of 8 bytes in a BigTIFF");
  const directory = big
    ? offsetAt(view(yield* need(8, 8, "a TIFF header")), 0, layout)
    : view(head).getUint32(4, little);
  if (directory < 8) throw new BadImage("invalid", "a TIFF directory behind the header");
  const counted = view(yield* need(directory, big ? 8 : 2, "a TIFF directory"));
  const count = big ? offsetAt(counted, 0, layout) : counted.getUint16(0, little);
  if (count === 0 || count > ENTRIES) throw new BadImage("invalid", `a TIFF directory of 1 to ${ENTRIES} entries`);
  const [first, step] = big ? [directory + 8, 20] : [directory + 2, 12];
  const { values, end: lasts } = valuesOf(view(yield* need(first, count * step, "a TIFF directory")), layout);
  const [width, height] = [values.get(WIDTH), values.get(HEIGHT)];
  if (width === undefined || height === undefined) throw new BadImage("invalid", "a width and a height in a TIFF");
  // Of an image in several strips, the end is that of what the directory points to.
  const end = Math.max(lasts, (values.get(STRIP_OFFSETS) ?? 0) + (values.get(STRIP_BYTES) ?? 0));
  const read = first + count * step; // is there: what lies before it passed by already
  return {
    type: "image/tiff",
    width,
    height,
    orientation: validOrientation(values.get(ORIENTATION) ?? 0),
    truncated: end > read && !(yield* reaches(end)),
  };
}

/** The single numbers of a directory by tag, and where the last of what lies elsewhere ends. */
function valuesOf(entries: DataView, layout: Layout): { values: Map<number, number>; end: number } {
  const { little, big } = layout;
  const values = new Map<number, number>();
  const [step, place, room] = big ? [20, 12, 8] : [12, 8, 4];
  let end = 0;
  for (let at = 0; at < entries.byteLength; at += step) {
    const type = entries.getUint16(at + 2, little);
    const amount = big ? offsetAt(entries, at + 4, layout) : entries.getUint32(at + 4, little);
    const bytes = amount * (BYTES[type] ?? 0);
    if (bytes > room) {
      const offset = big ? offsetAt(entries, at + place, layout) : entries.getUint32(at + place, little);
      end = Math.max(end, offset + bytes);
    }
    if (amount !== 1) continue;
    const value = numberAt(entries, at + place, type, layout);
    if (value !== undefined) values.set(entries.getUint16(at, little), value);
  }
  return { values, end };
}

/** A whole number of a type, BYTE to LONG8; `undefined` for all else. */
function numberAt(data: DataView, at: number, type: number, layout: Layout): number | undefined {
  if (type === 1) return data.getUint8(at);
  if (type === 3) return data.getUint16(at, layout.little);
  if (type === 4) return data.getUint32(at, layout.little);
  return type === 16 && layout.big ? offsetAt(data, at, layout) : undefined;
}

/** An offset of eight bytes. */
function offsetAt(data: DataView, at: number, { little }: Layout): number {
  const value = Number(data.getBigUint64(at, little));
  if (Number.isSafeInteger(value)) return value;
  throw new BadImage("invalid", "offsets within a TIFF");
}
