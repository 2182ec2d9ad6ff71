import { assert, assertEquals } from "@std/assert";
import { gunzipSync, gzipSync } from "node:zlib";
import { Bed } from "./support.ts";

const TEXT = `<svg xmlns="http://www.w3.org/2000/svg" width="12" height="33">${
  "<path d='M0 0h9v9z'/>".repeat(200)
}</svg>`;
const SVG = new TextEncoder().encode(TEXT);
const SVGZ = new Uint8Array(gzipSync(SVG));

/** Asks for an image. What `Request` does not let through is on it all the same. */
async function ask(bed: Bed, name: string, headers: Record<string, string> = {}, method = "GET") {
  const response = await bed.images.serve(new Request(`http://localhost/${name}`, { headers, method }), name);
  return {
    response,
    bytes: new Uint8Array(await response.arrayBuffer()),
    said: (name: string) => response.headers.get(name),
  };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("Images.serve() compresses an SVG for who takes gzip, under an ETag of its own", async () => {
  await using bed = new Bed();
  bed.source.put("a.svg", SVG);
  const { etag } = await bed.images.get("a.svg");
  const plain = await ask(bed, "a.svg");
  assertEquals([text(plain.bytes), plain.said("content-encoding"), plain.said("etag")], [TEXT, null, etag]);
  assertEquals([plain.said("vary"), plain.said("content-length")], ["accept-encoding", String(SVG.length)]);
  for (const accepted of ["gzip", "br, gzip;q=0.5", "*", "GZIP ; q=1"]) {
    const coded = await ask(bed, "a.svg", { "accept-encoding": accepted });
    assertEquals(text(gunzipSync(coded.bytes)), TEXT, accepted);
    assert(coded.bytes.length < SVG.length / 5);
    assertEquals([coded.said("content-encoding"), coded.said("vary")], ["gzip", "accept-encoding"]);
    assertEquals([coded.said("content-length"), coded.said("accept-ranges")], [null, null]);
    assert(coded.said("etag") !== etag && /^"[\da-f]{32}-gzip"$/.test(coded.said("etag")!));
    const again = { "accept-encoding": accepted, "if-none-match": coded.said("etag")! };
    assertEquals((await ask(bed, "a.svg", again)).response.status, 304);
    assertEquals((await ask(bed, "a.svg", { ...again, "if-none-match": etag })).response.status, 200);
  }
  for (const refused of ["br", "gzip;q=0", "identity", "*;q=0", ""]) {
    const { bytes, said } = await ask(bed, "a.svg", { "accept-encoding": refused });
    assertEquals([text(bytes), said("content-encoding")], [TEXT, null], refused);
  }
  const part = await ask(bed, "a.svg", { "accept-encoding": "gzip", range: "bytes=0-3" });
  assertEquals([part.response.status, text(part.bytes), part.said("etag")], [206, "<svg", etag]);
  const head = await ask(bed, "a.svg", { "accept-encoding": "gzip" }, "HEAD");
  assertEquals([head.bytes.length, head.said("content-encoding"), head.said("content-length")], [0, "gzip", null]);
});

Deno.test("Images.serve() compresses nothing but SVG, and none that is small", async () => {
  await using bed = new Bed();
  bed.source.put("a.svg", SVG.slice(0, 0));
  bed.source.put("a.svg", new TextEncoder().encode(`<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>`));
  const { said } = await ask(bed, "a.svg", { "accept-encoding": "gzip" });
  assertEquals([said("content-encoding"), said("vary")], [null, "accept-encoding"]);
});

Deno.test("Images.serve() sends SVGZ as it is to who takes gzip, and decompressed to all others", async () => {
  await using bed = new Bed();
  bed.source.put("a.svgz", SVGZ);
  const info = await bed.images.get("a.svgz");
  const { width, height, type, encoding, size, mismatch } = info;
  assertEquals([width, height, type, encoding, size, mismatch], [
    12,
    33,
    "image/svg+xml",
    "gzip",
    SVGZ.length,
    undefined,
  ]);
  const coded = await ask(bed, "a.svgz", { "accept-encoding": "gzip" });
  assertEquals([coded.bytes, coded.said("content-encoding"), coded.said("etag")], [SVGZ, "gzip", info.etag]);
  const plain = await ask(bed, "a.svgz");
  assertEquals([text(plain.bytes), plain.said("content-encoding"), plain.said("content-length")], [TEXT, null, null]);
  assert(plain.said("etag") !== info.etag && plain.said("content-security-policy")?.includes("sandbox"));
});

Deno.test("Images.serve() decompresses SVGZ with something behind it, or nothing where something is wanted", async () => {
  await using bed = new Bed();
  for (const [name, bytes] of Object.entries({ padded: [...SVGZ, 0, 0, 1], bare: SVGZ.slice(0, -8) })) {
    bed.source.put(`${name}.svgz`, Uint8Array.from(bytes));
    assertEquals(text((await ask(bed, `${name}.svgz`)).bytes), TEXT, name);
  }
});

Deno.test("Images.serve() sends an SVGZ that becomes very long as it is, whatever a client takes", async () => {
  await using bed = new Bed();
  const bomb = (length: number) => new Uint8Array(gzipSync(`${TEXT.slice(0, -6)}${" ".repeat(length)}</svg>`));
  bed.source.put("long.svgz", bomb(9 * 2 ** 20));
  bed.source.put("short.svgz", bomb(7 * 2 ** 20));
  const long = await ask(bed, "long.svgz", { "accept-encoding": "identity" });
  assertEquals([long.said("content-encoding"), long.bytes], ["gzip", bomb(9 * 2 ** 20)]);
  const short = await ask(bed, "short.svgz", { "accept-encoding": "identity" });
  assertEquals([short.said("content-encoding"), short.bytes.length], [null, TEXT.length + 7 * 2 ** 20]);
  const response = await bed.images.serve(new Request("http://localhost/short.svgz"), "short.svgz");
  await response.body!.cancel();
});

Deno.test("Images.get() refuses what is compressed and no SVG, cut, or grows without end", async () => {
  await using bed = new Bed();
  const reasons: Record<string, [bytes: Uint8Array, reason: string]> = {
    "a.png": [gzipSync(new Uint8Array(50)), "unsupported"],
    "b.svgz": [SVGZ.slice(0, -60), "truncated"],
    "c.svgz": [gzipSync(new Uint8Array(80 * 2 ** 20).fill(32)), "too-large"],
    "d.svgz": [gzipSync(Uint8Array.from([0x89, ...new TextEncoder().encode("PNG\r\n\x1a\n")])), "unsupported"],
  };
  for (const [name, [bytes, reason]] of Object.entries(reasons)) {
    bed.source.put(name, new Uint8Array(bytes));
    const error = await bed.images.get(name).then(() => undefined, (error) => error);
    assert(error?.reason === reason || (name === "d.svgz" && error?.reason === "truncated"), `${name}: ${error}`);
  }
});

Deno.test("Images.get() of a small SVGZ that becomes long lets others have their turn", async () => {
  await using bed = new Bed();
  const start = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4">';
  bed.source.put("a.svgz", new Uint8Array(gzipSync(`${start}${"<".repeat(2 ** 23)}</svg>`)));
  let turns = 0;
  let done = false;
  const others = (async () => {
    for (; !done; turns++) await new Promise((resolve) => setTimeout(resolve, 0));
  })();
  const info = await bed.images.get("a.svgz").finally(() => done = true);
  await others;
  assertEquals(info.width, 4);
  assert(turns > 5, `${turns} turns`);
});
