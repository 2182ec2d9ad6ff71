import { assert, assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { ImageError, Images, type ImageSource } from "../../src/images/mod.ts";
import { bytesOf, ihdr, PNG } from "./probing.ts";
import { Bed, fixture } from "./support.ts";

const ask = (bed: Bed, name: string, headers: Record<string, string> = {}) =>
  bed.images.serve(new Request(`http://localhost/${name}`, { headers }), name);

/** Files with something wrong in them, of which their beginning says what they are. */
const DOUBTFUL: Record<string, Uint8Array<ArrayBuffer>> = {
  "no header.png": bytesOf(PNG, [0, 0, 0, 1], "oops", Array(50).fill(7)),
  "no width.png": ihdr(0, 10),
  "no frame.jpg": bytesOf([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2], Array(50).fill(1)),
  "half a header.gif": bytesOf("GIF89a", [1, 0]),
  "another chunk.webp": bytesOf("RIFF", [9, 9, 0, 0], "WEBPJUNK", Array(50).fill(1)),
  "a short header.bmp": bytesOf("BM", Array(8).fill(0), [54, 0, 0, 0, 9, 0, 0, 0], Array(50).fill(0)),
  "no items.avif": bytesOf([0, 0, 0, 16], "ftypavif", [0, 0, 0, 0], [0, 0, 0, 12], "meta", [0, 0, 0, 0]),
  "cut.ico": (await fixture("ico.ico")).slice(0, 10),
};

Deno.test("Images.serve() sends a file with something wrong in it, if its beginning and its name agree", async (t) => {
  await using bed = new Bed();
  for (const [name, bytes] of Object.entries(DOUBTFUL)) {
    await t.step(name, async () => {
      bed.source.put(name, bytes);
      const error = await assertRejects(() => bed.images.get(name), ImageError);
      assert(error.reason === "invalid" || error.reason === "truncated");
      const response = await ask(bed, name);
      assertEquals(response.status, 200);
      assertEquals(response.headers.get("content-length"), String(bytes.length));
      assertEquals(response.headers.get("x-content-type-options"), "nosniff");
      assert(response.headers.get("content-type")!.startsWith("image/"));
      const etag = response.headers.get("etag")!;
      assertEquals(new Uint8Array(await response.arrayBuffer()), bytes);
      assertEquals((await ask(bed, name, { "if-none-match": etag })).status, 304);
      const part = await ask(bed, name, { range: "bytes=0-1" });
      assertEquals([part.status, (await part.arrayBuffer()).byteLength], [206, 2]);
      await assertRejects(() => bed.images.get(name), ImageError);
    });
  }
});

Deno.test("Images.serve() sends an SVG whose root says a size that is none, as a document that may do nothing", async (t) => {
  await using bed = new Bed();
  const symbols = '><symbol id="a"><path d="M0 0h9v9z"/></symbol></svg>';
  for (const size of ['width="0" height="0"', 'width="-5" height="5"', 'width="1e30" height="5"']) {
    const text = `<svg xmlns="http://www.w3.org/2000/svg" ${size}${symbols}`;
    for (const [name, bytes] of [["a.svg", bytesOf(text)], ["b.svgz", new Uint8Array(gzipSync(text))]] as const) {
      await t.step(`${name} with ${size}`, async () => {
        bed.source.put(name, bytes);
        await bed.images.invalidate(name);
        await assertRejects(() => bed.images.get(name), ImageError);
        const response = await ask(bed, name);
        assertEquals([response.status, response.headers.get("content-type")], [200, "image/svg+xml"]);
        assert(response.headers.get("content-security-policy")!.includes("sandbox"));
        assertEquals(await response.text(), text);
        const packed = await ask(bed, name, { "accept-encoding": "gzip" });
        assertEquals(packed.headers.get("content-encoding"), name === "b.svgz" ? "gzip" : null);
        await packed.body?.cancel();
        bed.source.put("c.png", bytes);
        await bed.images.invalidate("c.png");
        assertEquals((await ask(bed, "c.png")).status, 404);
      });
    }
  }
});

Deno.test("Images.get() tells SVGZ from the rest by its first bytes, however few come at a time", async () => {
  const svgz = new Uint8Array(gzipSync('<svg xmlns="http://www.w3.org/2000/svg" width="12" height="33"/>'));
  const png = await fixture("png.png");
  for (const [name, bytes, width] of [["a.svgz", svgz, 12], ["a.png", png, 47]] as const) {
    const source: ImageSource = {
      stat: () => Promise.resolve({ size: bytes.length, version: "1" }),
      open() {
        const pieces = [bytes.subarray(0, 0), bytes.subarray(0, 1), bytes.subarray(1)];
        return Promise.resolve({ stat: { size: bytes.length, version: "1" }, body: ReadableStream.from(pieces) });
      },
    };
    await using bed = new Bed();
    const images = new Images(bed.cache, { source });
    assertEquals((await images.get(name)).width, width);
  }
});

Deno.test("Images.serve() refuses what might be something else than its name says", async (t) => {
  await using bed = new Bed({ maxPixels: 10_000 });
  const others: Record<string, Uint8Array<ArrayBuffer>> = {
    "HTML.png": bytesOf("<!DOCTYPE html><html><script>alert(1)</script></html>"),
    "HTML behind a signature.png": bytesOf(PNG, "<html><script>alert(1)</script></html>"),
    "a PNG without header.jpg": DOUBTFUL["no header.png"]!,
    "a script in a GIF.gif": bytesOf("GIF89a", [1, 0], "<SCRIPT>"),
    "no extension": DOUBTFUL["no header.png"]!,
    "half an SVG.svg": bytesOf("<svg width='5' "),
    "text.png": bytesOf("hello"),
    "too many pixels.png": ihdr(60_000, 60_000),
  };
  for (const [name, bytes] of Object.entries(others)) {
    await t.step(name, async () => {
      bed.source.put(name, bytes);
      const response = await ask(bed, name);
      await response.body?.cancel();
      assertEquals(response.status, 404);
    });
  }
});

Deno.test("Images tells of a file with something wrong in it", async () => {
  await using bed = new Bed();
  const events: string[] = [];
  const images = new Images(bed.cache, { source: bed.source }, {
    on: (event) => void (event.type === "image.error" && events.push(`${event.filename}: ${event.error}`)),
    now: bed.clock.now,
  });
  bed.source.put("a.png", DOUBTFUL["no width.png"]!);
  const response = await images.serve(new Request("http://localhost/"), "a.png");
  await response.body?.cancel();
  assertEquals(response.status, 200);
  assertEquals(events.length, 1);
  assert(events[0]!.includes('a.png: ImageError: Cannot read image "a.png"'), events[0]);
});

Deno.test("Images uses nothing that somebody else has put into the cache", async (t) => {
  const PICTURE = await fixture("png.png");
  const hash = "a".repeat(64);
  const right = {
    filename: "a.png",
    size: 5,
    type: "image/png",
    hash,
    timestamp: 0,
    width: 1,
    height: 1,
    etag: `"${hash.slice(0, 32)}"`,
  };
  const forged: Record<string, unknown> = {
    "a type of HTML": { info: { ...right, type: "text/html" } },
    "a header in its ETag": { info: { ...right, etag: '"a"\r\nset-cookie: a=b' } },
    "half a size": { info: { ...right, size: 1.5 } },
    "a negative width": { info: { ...right, width: -1 } },
    "no info": {},
    "text": "image",
    "null": null,
    "another reason": { error: { reason: "because", detail: "of it" } },
    "a doubtful file of HTML": { error: { reason: "invalid", detail: "x" }, image: { ...right, type: "text/html" } },
    "an encoding of a PNG": { info: { ...right, encoding: "gzip" } },
  };
  for (const [name, value] of Object.entries(forged)) {
    await t.step(name, async () => {
      await using bed = new Bed();
      bed.source.put("a.png", PICTURE, { version: "1" });
      await bed.images.get("a.png");
      const [key] = await Array.fromAsync(bed.cache.inspect("image:*"), ({ key }) => key);
      assert(key);
      await bed.cache.set(key, value, { ttl: "1h" });
      const response = await ask(bed, "a.png");
      assertEquals([response.status, response.headers.get("content-type")], [200, "image/png"]);
      assertEquals(new Uint8Array(await response.arrayBuffer()), PICTURE);
      await bed.cache.set(key, value, { ttl: "1h" });
      assertEquals((await bed.images.get("a.png")).width, 47);
      assertEquals((await bed.another().get("a.png")).width, 47);
    });
  }
});
