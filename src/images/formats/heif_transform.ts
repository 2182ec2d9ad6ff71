import type { Box } from "./boxes.ts";
import { view } from "./bytes.ts";

/** The size of a picture, and how it is turned for display. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly orientation?: number;
}

/** What the boxes of a picture make of its size: cropped (`clap`), turned (`irot`), mirrored (`imir`). */
export function transformed(
  size: { width: number; height: number },
  bytes: Uint8Array,
  boxes: Iterable<Box>,
): Picture {
  let turns = 0;
  let axis: number | undefined;
  let shown = size;
  for (const { type, content, end } of boxes) {
    if (type === "irot" && end > content) turns = bytes[content]! & 3;
    else if (type === "imir" && end > content) axis = bytes[content]! & 1;
    else if (type === "clap" && end - content >= 32) shown = cropped(size, view(bytes), content);
  }
  const turned = turns !== 0 || axis !== undefined;
  return { ...shown, ...(turned && { orientation: orientationOf(turns, axis) }) };
}

/** Browsers crop where what is left begins at the upper left corner, in whole pixels; else they show all. */
function cropped(size: { width: number; height: number }, data: DataView, at: number): typeof size {
  const fraction = (place: number, signed: boolean): number => {
    const above = signed ? data.getInt32(at + place) : data.getUint32(at + place);
    return above / data.getUint32(at + place + 4);
  };
  const [width, height] = [fraction(0, false), fraction(8, false)];
  const left = (size.width - width) / 2 + fraction(16, true);
  const top = (size.height - height) / 2 + fraction(24, true);
  const whole = Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1;
  const inside = width <= size.width && height <= size.height;
  return whole && inside && left === 0 && top === 0 ? { width, height } : size;
}

/** Quarter turns against the clock, then a flip: axis 0 top to bottom, 1 left to right. As an EXIF orientation. */
function orientationOf(turns: number, axis: number | undefined): number {
  const table = axis === undefined ? [1, 8, 3, 6] : axis === 0 ? [4, 5, 2, 7] : [2, 7, 4, 5];
  return table[turns]!;
}
