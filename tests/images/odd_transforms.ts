import { be32, bytesOf } from "./probing.ts";
import type { OddImage } from "./odd_images.ts";
import { fixture } from "./support.ts";

/** AVIF that is cropped or turned, as avifenc makes it (`--crop`, `--irot`) of a picture of 64 x 48, see README.md. */
export async function transformedAvifs(): Promise<Record<string, OddImage>> {
  const images: Record<string, Omit<OddImage, "bytes">> = {
    "cropped.avif": { size: [20, 10] },
    "cropped_turned.avif": { size: [10, 20], orientation: 8 },
    "cropped_inside.avif": { size: [64, 48] },
    "cropped_sequence.avif": { size: [20, 10] },
    "turned_sequence.avif": { size: [48, 64], orientation: 8 },
  };
  const made: Record<string, OddImage> = {};
  for (const [name, image] of Object.entries(images)) {
    made[name] = { bytes: await Deno.readFile(new URL(`./odd/${name}`, import.meta.url)), ...image };
  }
  return made;
}

/** JPEG with EXIF that is odd, before all else that is in a JPEG. */
export async function jpegsWithOddExif(): Promise<Record<string, OddImage>> {
  const jpeg = await fixture("jpeg.jpg");
  const entry = (value: number, count = 1) => [0x01, 0x12, 0, 3, ...be32(count), 0, value, 0, 0];
  const exif = (entries: number[][], { pad = 0, magic = "MM" } = {}): number[] => {
    const tiff = bytesOf(magic, [0, 42, ...be32(8), 0, entries.length], entries.flat(), be32(0));
    const body = [...bytesOf("Exif\0", [pad]), ...tiff];
    return [0xff, 0xe1, 0, body.length + 2, ...body];
  };
  const image = (segments: number[], orientation?: number): OddImage => ({
    bytes: bytesOf([...jpeg.subarray(0, 2)], segments, [...jpeg.subarray(2)]),
    size: orientation === undefined ? [47, 31] : [31, 47],
    ...(orientation !== undefined && { orientation }),
  });
  return {
    "EXIF padded with another byte.jpg": image(exif([entry(6)], { pad: 255 }), 6),
    "an orientation of 9, then 6.jpg": image(exif([entry(9), entry(6)]), 6),
    "two orientations at once.jpg": image(exif([entry(6, 2)])),
    "no orientation, then EXIF again.jpg": image([...exif([]), ...exif([entry(6)])]),
    "broken EXIF, then EXIF again.jpg": image([...exif([], { magic: "XX" }), ...exif([entry(6)])]),
  };
}
