import { hasText, view } from "./bytes.ts";

const ORIENTATION = 0x0112;
const SHORT = 3;

/** The orientation in EXIF data, which are a little TIFF file; `undefined` where there is none from 1 to 8. */
export function exifOrientation(bytes: Uint8Array): number | undefined {
  const tiff = hasText(bytes, 0, "Exif\0") ? bytes.subarray(6) : bytes; // some programs pad with another byte
  const little = hasText(tiff, 0, "II*\0");
  if (tiff.length < 8 || (!little && !hasText(tiff, 0, "MM\0*"))) return undefined;
  const data = view(tiff);
  const directory = data.getUint32(4, little);
  if (directory + 2 > tiff.length) return undefined;
  const count = data.getUint16(directory, little);
  for (let i = 0, at = directory + 2; i < count && at + 12 <= tiff.length; i++, at += 12) {
    if (data.getUint16(at, little) !== ORIENTATION) continue;
    if (data.getUint16(at + 2, little) !== SHORT || data.getUint32(at + 4, little) !== 1) continue;
    const value = validOrientation(data.getUint16(at + 8, little));
    if (value !== undefined) return value;
  }
  return undefined;
}

/** An orientation, if it is one. */
export function validOrientation(value: number): number | undefined {
  return value >= 1 && value <= 8 ? value : undefined;
}
