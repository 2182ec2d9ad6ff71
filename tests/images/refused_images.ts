import { crcOf } from "./probing.ts";
import { fixture } from "./support.ts";

type Bytes = Uint8Array<ArrayBuffer>;

function patched(bytes: Bytes, at: number, ...patch: number[]): Bytes {
  const copy = bytes.slice();
  copy.set(patch, at);
  return copy;
}

/** A PNG with something else in its header, under the checksum of that. */
function pngWith(png: Bytes, at: number, value: number): Bytes {
  const copy = patched(png, at, value);
  new DataView(copy.buffer).setUint32(29, crcOf(copy.subarray(12, 29)));
  return copy;
}

/** Files that begin as an image does, of which browsers show nothing: they have no size. */
export async function refusedImages(): Promise<Record<string, Bytes>> {
  const [png, jpeg, bmp] = await Promise.all(["png.png", "jpeg.jpg", "bmp_3.bmp"].map(fixture)) as [
    Bytes,
    Bytes,
    Bytes,
  ];
  const [lossy, lossless] = await Promise.all(["webp_lossy.webp", "webp_lossless.webp"].map(fixture)) as [Bytes, Bytes];
  const frame = jpeg.findIndex((byte, at) => byte === 0xff && jpeg[at + 1] === 0xc0);
  const end = png.length - 12;
  return {
    "another checksum.png": patched(png, 29, png[29]! ^ 1),
    "a depth of 3.png": pngWith(png, 24, 3),
    "a colour of 5.png": pngWith(png, 25, 5),
    "another compression.png": pngWith(png, 26, 1),
    "another filter.png": pngWith(png, 27, 1),
    "another interlace.png": pngWith(png, 28, 2),
    "no pixels.png": Uint8Array.from([...png.subarray(0, 33), ...png.subarray(end)]),
    "7 bits.jpg": patched(jpeg, frame + 4, 7),
    "5 components.jpg": patched(jpeg, frame + 9, 5),
    "sampled by 0.jpg": patched(jpeg, frame + 11, 0),
    "sampled by 5.jpg": patched(jpeg, frame + 11, 0x55),
    "no frame.webp": patched(lossy, 16, 0, 0, 0, 0),
    "no lossless frame.webp": patched(lossless, 16, 0, 0, 0, 0),
    "a depth of 7.bmp": patched(bmp, 28, 7),
    "a depth of 0.bmp": patched(bmp, 28, 0),
    "runs of 24 bits.bmp": patched(bmp, 30, 2),
  };
}
