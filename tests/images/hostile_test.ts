import { assert, assertEquals } from "@std/assert";
import { ImageError } from "../../src/images/mod.ts";
import expected from "./fixtures/expected.json" with { type: "json" };
import { randomFrom } from "../support/random.ts";
import { bytesOf, probe } from "./probing.ts";
import { fixture } from "./support.ts";

const NAMES = Object.keys(expected);

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
      // Where a bare codestream of JPEG XL ends, only its decoder can tell.
      if (!cut.truncated && !/^jxl(_animated)?\.jxl$/.test(name)) {
        assert(name.endsWith(".svg") && bytes.length - length <= 2, `${name} at ${length}`);
      }
    }
  }
  assert(sized > 10_000 && refused > 1000, `${sized} with a size, ${refused} refused`);
});

Deno.test("Probe of 10,000 mutations ends in time with plausible numbers or an ImageError", async () => {
  const random = randomFrom(20_260_101);
  const originals = await Promise.all(NAMES.map(fixture));
  const below = (limit: number) => Math.floor(random() * limit);
  const EVIL = [0, 1, 0x7f, 0x80, 0xff];
  let [sized, refused] = [0, 0];
  const before = Deno.memoryUsage().rss;
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
      assert([width, height].every((length) => length >= 1 && Number.isSafeInteger(length)), `${i}`);
      assert(Number.isInteger(orientation) && orientation >= 1 && orientation <= 8, `${i}`);
    }
  }
  assert(sized > 2000 && refused > 500, `${sized} with a size, ${refused} refused`);
  const grown = Deno.memoryUsage().rss - before;
  assert(grown < 256 * 2 ** 20, `${grown} bytes more`);
});

Deno.test("Probe takes an orientation from 1 to 8 and no other, out of either order of bytes", async () => {
  const jpeg = await fixture("jpeg.jpg");
  const of = (orientation: number, little: boolean, type = 3) => {
    const short = (n: number) => little ? [n & 255, n >> 8] : [n >> 8, n & 255];
    const long = (n: number) => little ? [n & 255, n >> 8, 0, 0] : [0, 0, n >> 8, n & 255];
    const tiff = [...short(42), ...long(8), ...short(1), ...short(0x112), ...short(type), ...long(1)];
    // The directory says that the next one is itself.
    const exif = bytesOf("Exif\0\0", little ? "II" : "MM", tiff, short(orientation), [0, 0], long(8));
    const segment = bytesOf([0xff, 0xd8, 0xff, 0xe1, 0, exif.length + 2], [...exif]);
    const result = probe(Uint8Array.from([...segment, ...jpeg.subarray(2)]));
    assert(!(result instanceof ImageError));
    return result.orientation;
  };
  for (const little of [true, false]) {
    for (let orientation = 1; orientation <= 8; orientation++) assertEquals(of(orientation, little), orientation);
    for (const wrong of [0, 9, 255, 65_535]) assertEquals(of(wrong, little), undefined);
    assertEquals(of(6, little, 4), undefined);
  }
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
