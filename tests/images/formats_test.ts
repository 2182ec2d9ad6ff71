import { assert, assertEquals } from "@std/assert";
import { imageSize } from "npm:image-size@2.1.0";
import { displaySize, type ImageInfo, Images } from "../../src/images/mod.ts";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import expected from "./fixtures/expected.json" with { type: "json" };
import { Bed, FIXTURES } from "./support.ts";

/** What the tools said of a file, see make_fixtures.ts. */
interface Expected {
  size: number;
  sha256: string;
  identify?: { type: string; width: number; height: number; orientation: number };
  sharp?: { format: string; width: number; height: number; orientation?: number };
  told?: { by: string; width: number; height: number; orientation?: number };
}

const SHARP_TYPES: Record<string, string> = { svg: "image/svg+xml", heif: "image/avif" };

/** Sharp turns what AVIF says is to be turned; all else it gives as stored. */
function asSharp(info: ImageInfo): Expected["sharp"] {
  const { type, width, height, orientation } = info;
  const format = Object.entries(SHARP_TYPES).find(([, known]) => known === type)?.[0] ?? type.slice(6);
  if (type === "image/avif") return { format, ...displaySize(info) };
  return { format, width, height, ...(orientation !== undefined && { orientation }) };
}

Deno.test("Images.get() says what identify, sharp, sha256sum and stat say", async (t) => {
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: FIXTURES });
  const files = Object.entries(expected as Record<string, Expected>);
  assert(files.length >= 54);
  for (const [name, said] of files) {
    await t.step(name, async () => {
      const info = await images.get(name);
      assertEquals([info.filename, info.size, info.hash], [name, said.size, said.sha256]);
      assertEquals(info.timestamp, Math.floor((await Deno.stat(`${FIXTURES}${name}`)).mtime!.getTime()));
      assertEquals(info.etag, `"${said.sha256.slice(0, 32)}"`);
      assertEquals([info.mismatch, info.truncated], [undefined, undefined]);
      if (said.sharp) assertEquals(asSharp(info), said.sharp);
      if (said.told) {
        const { width, height, orientation = 1 } = said.told;
        assertEquals([info.width, info.height, info.orientation ?? 1], [width, height, orientation]);
      }
      if (!said.identify) return;
      const { type, width, height, orientation } = said.identify;
      assertEquals([info.type, info.width, info.height], [type, width, height]);
      // ImageMagick 6 reads the orientation of JPEG and TIFF; 0 stands for none.
      if (orientation !== 0) assertEquals(info.orientation ?? 1, orientation);
    });
  }
});

Deno.test("Images.get() gives each EXIF orientation of JPEG, and of AVIF made from it", async () => {
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: FIXTURES });
  for (let orientation = 1; orientation <= 8; orientation++) {
    const jpeg = await images.get(`jpeg_orientation_${orientation}.jpg`);
    const avif = await images.get(`avif_orientation_${orientation}.avif`);
    assertEquals([jpeg.width, jpeg.height, jpeg.orientation], [47, 31, orientation]);
    assertEquals([avif.width, avif.height, avif.orientation ?? 1], [47, 31, orientation]);
    assertEquals(displaySize(jpeg), orientation >= 5 ? { width: 31, height: 47 } : { width: 47, height: 31 });
  }
});

Deno.test("Images.get() agrees with image-size, as far as that goes", async () => {
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: FIXTURES });
  for (const name of Object.keys(expected)) {
    // It takes the header of OS/2 for that of Windows, and does not know what a JPEG XL that was a JPEG looks like, nor
    // HEIC without Exif.
    if (name === "bmp_2.bmp" || /\.(jxl|heic)$|avif_sequence/.test(name)) continue;
    const { width, height } = await images.get(name);
    const other = imageSize(await Deno.readFile(`${FIXTURES}${name}`));
    const sizes = other.images ?? [other];
    assert(sizes.some((size) => size.width === width && size.height === height), `${name}: ${JSON.stringify(other)}`);
  }
});

Deno.test("Images.get() says what moves, and in how many pictures", async () => {
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: FIXTURES });
  const moving: Record<string, number | undefined> = {
    "gif_animated.gif": 3,
    "png_animated.png": 2,
    "webp_animated.webp": 2,
    "avif_sequence.avif": 2,
    "jxl_animated.jxl": undefined, // how many are in it, only a decoder can tell
  };
  for (const name of Object.keys(expected)) {
    const { animated, frames } = await images.get(name);
    assertEquals([animated, frames], [Object.hasOwn(moving, name) ? true : undefined, moving[name]], name);
  }
});

Deno.test("Images.get() finds the directory of a TIFF wherever it is", async () => {
  const small = await Deno.readFile(`${FIXTURES}tiff_orientation_8.tif`);
  const pad = 3_000_000;
  const large = new Uint8Array(small.length + pad);
  large.set(small.subarray(0, 8));
  large.set(small.subarray(8), 8 + pad); // the directory lies behind the pixels
  const at = new DataView(small.buffer).getUint32(4, true);
  new DataView(large.buffer).setUint32(4, at + pad, true);
  await using bed = new Bed();
  bed.source.put("large.tif", large);
  const { width, height, orientation, size } = await bed.images.get("large.tif");
  assertEquals([width, height, orientation, size], [47, 31, 8, large.length]);
});

Deno.test("Images.get() of other algorithms", async () => {
  await using cache = new Cache(new MemoryStore());
  const bytes = await Deno.readFile(`${FIXTURES}png.png`);
  for (const hash of ["sha-384", "sha-512"] as const) {
    const digest = new Uint8Array(await crypto.subtle.digest(hash.toUpperCase(), bytes));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    // One cache: what was hashed in another way is not mistaken for this.
    assertEquals((await new Images(cache, { root: FIXTURES, hash }).get("png.png")).hash, hex);
  }
});
