import { assert, assertEquals, assertRejects } from "@std/assert";
import { ImageError } from "../../src/images/mod.ts";
import { Probe } from "../../src/images/probe.ts";
import expected from "./fixtures/expected.json" with { type: "json" };
import { Bed, fixture } from "./support.ts";

const NAMES = Object.keys(expected);
/** What one header may take, garbage collections and a busy machine included. */
const LIMIT = 50;

/** Reads a header from chunks of a size; what it takes at most is checked. */
function probe(bytes: Uint8Array, chunk = 65_536): ReturnType<Probe["end"]> | ImageError {
  const started = performance.now();
  const probe = new Probe("x");
  try {
    for (let at = 0; at < bytes.length; at += chunk) probe.push(bytes.subarray(at, at + chunk));
    return probe.end();
  } catch (error) {
    if (error instanceof ImageError) return error;
    throw error;
  } finally {
    const took = performance.now() - started;
    assert(took < LIMIT * Math.max(1, bytes.length / 2 ** 20), `${took} ms for ${bytes.length} bytes`);
  }
}

/** A generator of numbers from 0 to 1 (Mulberry32) that gives the same ones each time. */
function numbers(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

Deno.test("Probe gives the same however the bytes are cut", async () => {
  for (const name of NAMES) {
    const bytes = await fixture(name);
    const whole = probe(bytes);
    assert(!(whole instanceof ImageError), name);
    for (const chunk of [1, 2, 7, 64, 1000]) assertEquals(probe(bytes, chunk), whole, `${name} by ${chunk}`);
  }
});

Deno.test("Probe of an image cut at every byte of the first 4 KiB gives its size, or an ImageError", async () => {
  let [sized, refused] = [0, 0];
  for (const name of NAMES) {
    const bytes = await fixture(name);
    const whole = probe(bytes);
    for (let length = 0; length < Math.min(4096, bytes.length); length++) {
      const cut = probe(bytes.subarray(0, length));
      if (cut instanceof ImageError) {
        refused++;
        continue;
      }
      sized++;
      assert(!(whole instanceof ImageError));
      assertEquals([cut.type, cut.width, cut.height], [whole.type, whole.width, whole.height], `${name} at ${length}`);
      // What ends too early says so; of SVG, the newline at the end and a root element without content are not missed.
      if (!cut.truncated) assert(name.endsWith(".svg") && bytes.length - length <= 2, `${name} at ${length}`);
    }
  }
  assert(sized > 10_000 && refused > 1000, `${sized} with a size, ${refused} refused`);
});

Deno.test("Probe of 10,000 mutations ends in time with plausible numbers or an ImageError", async () => {
  const random = numbers(20_260_101);
  const originals = await Promise.all(NAMES.map(fixture));
  const below = (limit: number) => Math.floor(random() * limit);
  const EVIL = [0, 1, 0x7f, 0x80, 0xff];
  let [sized, refused] = [0, 0];
  for (let i = 0; i < 10_000; i++) {
    const bytes = originals[i % originals.length]!.slice();
    for (let j = 0; j <= below(8); j++) {
      const at = below(random() < 0.8 ? Math.min(400, bytes.length) : bytes.length);
      const kind = below(4);
      if (kind === 0) bytes[at]! ^= 1 << below(8);
      else if (kind === 1) bytes[at] = EVIL[below(EVIL.length)]!;
      else if (kind === 2) bytes.fill(EVIL[below(EVIL.length)]!, at, at + 4);
      else bytes.copyWithin(at, below(bytes.length), below(bytes.length));
    }
    const result = probe(bytes, random() < 0.1 ? 13 : 65_536);
    if (result instanceof ImageError) refused++;
    else {
      sized++;
      const { width, height, orientation = 1 } = result;
      assert(width >= 1 && height >= 1 && Number.isSafeInteger(width * height) || width * height > 0, `${i}`);
      assert(Number.isInteger(orientation) && orientation >= 1 && orientation <= 8, `${i}`);
    }
  }
  assert(sized > 2000 && refused > 500, `${sized} with a size, ${refused} refused`);
});

/** Bytes out of texts and numbers. */
function bytesOf(...parts: (string | number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    parts.flatMap((part) => typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : part),
  );
}

const PNG = "\x89PNG\r\n\x1a\n";
const be32 = (n: number) => [n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255];
const ihdr = (width: number, height: number) =>
  bytesOf(PNG, be32(13), "IHDR", be32(width), be32(height), [8, 6, 0, 0, 0], be32(0), be32(0), "IEND", be32(0));

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
    "HEIC": { bytes: bytesOf(be32(24), "ftypheic", be32(0), "heicmif1"), reason: "unsupported" },
    "half a PNG header": { bytes: ihdr(10, 10).slice(0, 20), reason: "truncated" },
    "a PNG of 65535 x 65535": { bytes: ihdr(65_535, 65_535), reason: "too-large" },
    "a PNG of 2147483647 x 2147483647": { bytes: ihdr(0x7fff_ffff, 0x7fff_ffff), reason: "too-large" },
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
      reason: "too-large",
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
      const started = performance.now();
      const error = await assertRejects(() => bed.images.get("a.png"), ImageError);
      assert(performance.now() - started < LIMIT, `${performance.now() - started} ms`);
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
  const probe = new Probe("x");
  probe.push(jpeg.subarray(0, -2));
  const scan = new Uint8Array(2 ** 20).fill(0x55);
  const before = Deno.memoryUsage();
  for (let i = 0; i < 50; i++) probe.push(scan);
  const after = Deno.memoryUsage();
  assert(after.rss - before.rss < 2 ** 24, `${after.rss - before.rss} bytes`);
  probe.push(jpeg.subarray(-2));
  assertEquals(probe.end(), { type: "image/jpeg", width: 47, height: 31, orientation: 6, truncated: false });
});

Deno.test("Probe of an SVG: units, ratios, prologs", () => {
  const size = (text: string) => {
    const shape = probe(new TextEncoder().encode(text));
    return shape instanceof ImageError ? shape.reason : [shape.width, shape.height];
  };
  assertEquals(size('<svg width="10" height="20"/>'), [10, 20]);
  assertEquals(size('<svg width="1in" height="25.4mm"></svg>'), [96, 96]);
  assertEquals(size("<svg width='2em' height='12pt'></svg>"), [32, 16]);
  assertEquals(size('<svg width="100%" height="100%" viewBox="0,0,40,30"></svg>'), [40, 30]);
  assertEquals(size('<svg width="20" viewBox="0 0 40 30"></svg>'), [20, 15]);
  assertEquals(size('<svg height="60" viewBox="0 0 40 30"></svg>'), [80, 60]);
  assertEquals(size('<svg xmlns="http://www.w3.org/2000/svg"></svg>'), [300, 150]);
  assertEquals(size('<svg:svg xmlns:svg="http://www.w3.org/2000/svg" width="7" height="8"></svg:svg>'), [7, 8]);
  assertEquals(
    size(
      '\ufeff<?xml version="1.0"?>\n<!-- <svg width="1" height="1"> -->\n' +
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x" [<!ENTITY a "]>">]>\n<svg\nwidth = "3"\n\theight="4"/>',
    ),
    [3, 4],
  );
  assertEquals(size('<svg data-x="width=\'9\'" width="3" height="4"/>'), [3, 4]);
  assertEquals(size('<svg width="0" height="4"/>'), "invalid");
  assertEquals(size('<svg width="-5" height="4"/>'), "invalid");
  assertEquals(size('<svg width="1e999" height="4"/>'), "invalid");
  assertEquals(size("<svgx width='1' height='1'/>"), "unsupported");
  assertEquals(size("<html><svg width='1' height='1'/></html>"), "unsupported");
});
