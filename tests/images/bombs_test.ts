import { assert, assertEquals, assertRejects } from "@std/assert";
import { ImageError } from "../../src/images/mod.ts";
import { Probe } from "../../src/images/probe.ts";
import { be32, bytesOf, ihdr, LIMIT, PNG, probe, repeated } from "./probing.ts";
import { Bed, fixture } from "./support.ts";

Deno.test("Probe of images out of very many pieces takes no longer than a large one", async (t) => {
  const gif = bytesOf("GIF89a", [1, 0, 1, 0, 0, 0, 0, 0x21, 0xff]);
  const cases: Record<string, [bytes: Uint8Array, truncated: boolean | undefined]> = {
    "a PNG of 300,000 chunks": [repeated(ihdr(9, 9).slice(0, 33), bytesOf(be32(0), "tEXt", be32(0)), 300_000), true],
    "a GIF of 3,000,000 blocks": [repeated(gif, bytesOf([1, 7]), 3_000_000), true],
    "a GIF of 1,000,000 blocks with an end": [repeated(gif, bytesOf([1, 7]), 1_000_000, bytesOf([0, 0x3b])), false],
    "a JPEG of 300,000 segments": [repeated(bytesOf([0xff, 0xd8]), bytesOf([0xff, 0xe2, 0, 2]), 300_000), undefined],
    "a JPEG of 300 APP2 of 64 KiB": [
      repeated(
        bytesOf([0xff, 0xd8]),
        bytesOf([0xff, 0xe2, 0xff, 0xff], Array(65_533).fill(0)),
        300,
        bytesOf([0xff, 0xc0, 0, 11, 8, 0, 9, 0, 9, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2, 0xff, 0xd9]),
      ),
      false,
    ],
    "a WebP of 300,000 chunks": [
      repeated(
        bytesOf("RIFF", [0xff, 0xff, 0xff, 0x7f], "WEBPVP8X", [10, 0, 0, 0], [8, 0, 0, 0, 8, 0, 0, 8, 0, 0]),
        bytesOf("JUNK", be32(0)),
        300_000,
      ),
      true,
    ],
    "an icon of 65,535 images": [repeated(bytesOf([0, 0, 1, 0, 255, 255]), new Uint8Array(16), 65_535), undefined],
    "an SVG of nothing but attributes": [repeated(bytesOf("<svg "), bytesOf("a='"), 300_000), undefined],
    "an SVG of nothing but brackets": [repeated(bytesOf("<!DOCTYPE svg "), bytesOf("["), 900_000), undefined],
    "an SVG of entities": [
      repeated(bytesOf("<!DOCTYPE svg [<!ENTITY a 'a'>"), bytesOf("<!ENTITY b '&a;&a;&a;'>"), 50_000),
      undefined,
    ],
  };
  for (const [name, [bytes, truncated]] of Object.entries(cases)) {
    await t.step(name, () => {
      const result = probe(bytes, 65_536);
      assertEquals(result instanceof ImageError ? undefined : result.truncated, truncated);
    });
  }
});

Deno.test("Images.get() refuses what only looks like an image, with the reason, and remembers it for errorTtl", async (t) => {
  const jpeg = await fixture("jpeg.jpg");
  const gif = await fixture("gif.gif");
  const cases: Record<string, { bytes: Uint8Array<ArrayBuffer>; reason: string }> = {
    "zero bytes": { bytes: new Uint8Array(0), reason: "empty" },
    "zero bytes filled": { bytes: new Uint8Array(5000), reason: "unsupported" },
    "text": { bytes: bytesOf("Hello, world\n"), reason: "unsupported" },
    "HTML with an SVG in it": {
      bytes: bytesOf("<!DOCTYPE html><html><svg width='1' height='1'/></html>"),
      reason: "unsupported",
    },
    "an SVG without end of its root": { bytes: bytesOf("<svg width='5' "), reason: "truncated" },
    "a comment without end": { bytes: bytesOf("<!--", "-".repeat(70_000)), reason: "unsupported" },
    "HEIC": { bytes: bytesOf(be32(24), "ftypheic", be32(0), "heicmif1"), reason: "truncated" },
    "half a PNG header": { bytes: ihdr(10, 10).slice(0, 20), reason: "truncated" },
    "a PNG of 65535 x 65535": { bytes: ihdr(65_535, 65_535), reason: "too-large" },
    "a PNG of 2147483647 x 2147483647": { bytes: ihdr(0x7fff_ffff, 0x7fff_ffff), reason: "too-large" },
    "a PNG with something before its header": {
      bytes: bytesOf(PNG, be32(100_000), "tEXt", Array(100_000).fill(65), be32(0), [...ihdr(9, 9).subarray(8)]),
      reason: "invalid",
    },
    "a GIF of 0 x 0": { bytes: bytesOf("GIF89a", Array(7).fill(0), [0x3b]), reason: "invalid" },
    "a WebP of 16777216 x 16777216": {
      bytes: bytesOf("RIFF", [22, 0, 0, 0], "WEBPVP8X", [10, 0, 0, 0, 0, 0, 0, 0], Array(6).fill(255)),
      reason: "too-large",
    },
    "a BMP of a negative width": {
      bytes: bytesOf("BM", Array(8).fill(0), [54, 0, 0, 0, 40, 0, 0, 0, 255, 255, 255, 255, 9], Array(30).fill(0)),
      reason: "invalid",
    },
    "a TIFF of 4294967295 x 4294967295": {
      bytes: bytesOf(
        "II*\0",
        [8, 0, 0, 0, 2, 0],
        [0, 1, 4, 0, 1, 0, 0, 0, 255, 255, 255, 255],
        [1, 1, 4, 0, 1, 0, 0, 0, 255, 255, 255, 255, 8, 0, 0, 0],
      ),
      reason: "too-large",
    },
    "a PNG without width": { bytes: ihdr(0, 10), reason: "invalid" },
    "a JPEG of nothing but fill bytes": {
      bytes: bytesOf([0xff, 0xd8], Array(200_000).fill(0xff)),
      reason: "truncated",
    },
    "a JPEG that never gets to its frame": {
      bytes: bytesOf([0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff]),
      reason: "truncated",
    },
    "a WebP with another chunk": { bytes: bytesOf("RIFF", [9, 9, 0, 0], "WEBPJUNK", be32(0)), reason: "invalid" },
    "an AVIF with a meta box of 4 GiB": {
      bytes: bytesOf(be32(16), "ftypavif", be32(0), be32(0xffff_ffff), "meta", be32(0)),
      reason: "truncated",
    },
    "an AVIF of boxes without size": {
      bytes: bytesOf(be32(16), "ftypavif", be32(0), be32(4), "meta"),
      reason: "invalid",
    },
    "an AVIF of 100,000 empty boxes": {
      bytes: (() => {
        const boxes = new Uint8Array(800_016);
        boxes.set(bytesOf(be32(16), "ftypavif", be32(0)));
        for (let at = 16; at < boxes.length; at += 8) boxes.set(bytesOf(be32(8), "free"), at);
        return boxes;
      })(),
      reason: "truncated",
    },
    "a TIFF whose directory is itself": { bytes: bytesOf("II*\0", [0, 0, 0, 0]), reason: "invalid" },
    "a TIFF whose directory lies beyond its end": {
      bytes: bytesOf("II*\0", [0xff, 0xff, 0xff, 0x7f]),
      reason: "truncated",
    },
    "an icon whose images lie in its directory": {
      bytes: bytesOf([0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0, 9, 0, 0, 0, 2, 0, 0, 0]),
      reason: "invalid",
    },
    "more bytes than maxBytes": { bytes: bytesOf("GIF89a", Array(1_000_000).fill(0)), reason: "too-large" },
  };
  for (const [name, { bytes, reason }] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using bed = new Bed({ maxBytes: 900_000 });
      bed.source.put("a.png", bytes);
      const error = await assertRejects(() => bed.images.get("a.png"), ImageError);
      assertEquals([error.reason, error.filename], [reason, "a.png"]);
      assert(error.message.startsWith('Cannot read image "a.png": wanted '), error.message);
      const [, opened] = bed.source.counts();
      assert(opened === 1 || reason === "too-large");
      bed.clock.advance("9s");
      const again = await assertRejects(() => bed.images.get("a.png"), ImageError);
      assertEquals([again.message, bed.source.counts()], [error.message, [1, 0]]);
      bed.clock.advance("2s");
      await assertRejects(() => bed.images.get("a.png"), ImageError);
      assertEquals(bed.source.counts()[1], 1);
      let took = Infinity;
      for (let i = 0; i < 8 && took >= LIMIT; i++) {
        await bed.images.invalidate("a.png");
        const started = performance.now();
        await assertRejects(() => bed.images.get("a.png"), ImageError);
        took = performance.now() - started;
      }
      assert(took < LIMIT, `${took} ms`);
    });
  }

  await t.step("a polyglot is what its first bytes say, and its name does not fit", async () => {
    await using bed = new Bed();
    bed.source.put(
      "a.svg",
      bytesOf([...gif] as unknown as number[], "<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
    );
    const info = await bed.images.get("a.svg");
    assertEquals([info.type, info.mismatch, info.width], ["image/gif", "image/svg+xml", 47]);
  });

  await t.step("what ends too early says so", async () => {
    await using bed = new Bed();
    bed.source.put("a.jpg", jpeg.slice(0, -10));
    const info = await bed.images.get("a.jpg");
    assertEquals([info.width, info.height, info.truncated], [47, 31, true]);
  });
});

Deno.test("Probe of a JPEG of 50 MiB keeps no more than its parser asks for", async () => {
  const jpeg = await fixture("jpeg_orientation_6.jpg");
  const scan = new Uint8Array(2 ** 20).fill(0x55);
  let grown = Infinity;
  let probe: Probe | undefined;
  // Other files of tests share the memory of this process.
  for (let i = 0; i < 8 && grown >= 2 ** 24; i++) {
    probe = new Probe("x");
    probe.push(jpeg.subarray(0, -2));
    const before = Deno.memoryUsage();
    for (let i = 0; i < 50; i++) probe.push(scan);
    grown = Deno.memoryUsage().rss - before.rss;
  }
  assert(grown < 2 ** 24, `${grown} bytes`);
  probe!.push(jpeg.subarray(-2));
  assertEquals(probe!.end(), { type: "image/jpeg", width: 47, height: 31, orientation: 6, truncated: false });
});
