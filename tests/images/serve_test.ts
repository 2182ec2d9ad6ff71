import { assert, assertEquals, assertRejects } from "@std/assert";
import { imageNameOf } from "../../src/images/mod.ts";
import { Bed, fixture } from "./support.ts";

const PNG = await fixture("png.png");
const MODIFIED = Date.UTC(2024, 1, 3, 4, 5, 6, 789);
const LAST_MODIFIED = "Sat, 03 Feb 2024 04:05:06 GMT";

/** A bed with `a.png`, and a way to ask for it. */
async function served(): Promise<
  Bed & { ask: (headers?: HeadersInit, method?: string) => Promise<Response>; etag: string }
> {
  const bed = new Bed();
  bed.source.put("a.png", PNG, { modified: MODIFIED });
  const ask = (headers: HeadersInit = {}, method = "GET") =>
    bed.images.serve(new Request("http://localhost/a.png", { headers, method }), "a.png");
  const { etag } = await bed.images.get("a.png");
  return Object.assign(bed, { ask, etag });
}

const bytes = async (response: Response) => new Uint8Array(await response.arrayBuffer());

Deno.test("Images.serve() answers with the image and what is known of it", async () => {
  await using bed = await served();
  const response = await bed.ask();
  assertEquals(response.status, 200);
  assertEquals(Object.fromEntries(response.headers), {
    "accept-ranges": "bytes",
    "cache-control": "no-cache",
    "content-length": String(PNG.length),
    "content-type": "image/png",
    etag: bed.etag,
    "last-modified": LAST_MODIFIED,
    "x-content-type-options": "nosniff",
  });
  assertEquals(await bytes(response), PNG);
});

Deno.test("Images.serve() of HEAD is the same without the bytes, and without opening it", async () => {
  await using bed = await served();
  bed.source.counts();
  const response = await bed.ask({}, "HEAD");
  assertEquals([response.status, response.headers.get("content-length"), response.body], [200, `${PNG.length}`, null]);
  assertEquals((await bed.ask({ range: "bytes=0-0" }, "HEAD")).status, 200);
  assertEquals(bed.source.counts(), [0, 0]);
});

Deno.test("Images.serve() refuses other methods", async () => {
  await using bed = await served();
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const response = await bed.ask({}, method);
    assertEquals([response.status, response.headers.get("allow")], [405, "GET, HEAD"]);
    await response.body?.cancel();
  }
});

Deno.test("Images.serve() answers conditions (RFC 9110, 13)", async () => {
  await using bed = await served();
  const { etag } = bed;
  const older = "Sat, 03 Feb 2024 04:05:05 GMT";
  const newer = "Sat, 03 Feb 2024 04:05:07 GMT";
  const cases: [status: number, headers: Record<string, string>][] = [
    [304, { "if-none-match": etag }],
    [304, { "if-none-match": `W/${etag}` }],
    [304, { "if-none-match": `"x", ${etag} , "y"` }],
    [304, { "if-none-match": "*" }],
    [304, { "if-none-match": `${'"x",'.repeat(1000)}${etag}` }],
    [200, { "if-none-match": '"'.repeat(60_000) }],
    [200, { "if-none-match": `"${etag}"`.replaceAll('""', '"x') }],
    [200, { "if-none-match": '"x"' }],
    [200, { "if-none-match": etag.slice(1, -1) }],
    [304, { "if-modified-since": LAST_MODIFIED }],
    [304, { "if-modified-since": newer }],
    [200, { "if-modified-since": older }],
    [200, { "if-modified-since": "yesterday" }],
    [200, { "if-none-match": '"x"', "if-modified-since": newer }], // the tag is what counts
    [304, { "if-none-match": etag, "if-modified-since": older }],
    [200, { "if-match": etag }],
    [200, { "if-match": "*" }],
    [412, { "if-match": '"x"' }],
    [412, { "if-match": `W/${etag}` }],
    [200, { "if-unmodified-since": LAST_MODIFIED }],
    [412, { "if-unmodified-since": older }],
    [304, { "if-none-match": etag, range: "bytes=0-1" }],
  ];
  for (const [status, headers] of cases) {
    const response = await bed.ask(headers);
    assertEquals(response.status, status, JSON.stringify(headers));
    const body = await response.text();
    if (status === 304) {
      assertEquals([body, response.headers.get("etag"), response.headers.get("content-length")], ["", etag, null]);
    }
  }
});

Deno.test("Images.serve() answers ranges (RFC 9110, 14)", async () => {
  await using bed = await served();
  const { length } = PNG;
  const cases: [range: string, start: number, end: number][] = [
    ["bytes=0-0", 0, 0],
    ["bytes=0-9", 0, 9],
    ["Bytes=0-9", 0, 9], // the name of a unit may be written in any way
    ["bytes=10-", 10, length - 1],
    ["bytes=-7", length - 7, length - 1],
    [`bytes=-${length * 2}`, 0, length - 1],
    [`bytes=5-${length * 2}`, 5, length - 1],
    [`bytes=${length - 1}-`, length - 1, length - 1],
  ];
  for (const [range, start, end] of cases) {
    const response = await bed.ask({ range });
    assertEquals(
      [response.status, response.headers.get("content-range")],
      [206, `bytes ${start}-${end}/${length}`],
      range,
    );
    assertEquals(response.headers.get("content-length"), String(end - start + 1));
    assertEquals(await bytes(response), PNG.slice(start, end + 1));
  }
  for (const range of [`bytes=${length}-`, `bytes=${length + 5}-${length + 9}`, "bytes=-0"]) {
    const response = await bed.ask({ range });
    assertEquals([response.status, response.headers.get("content-range")], [416, `bytes */${length}`], range);
    await response.text();
  }
  // Several, none, or no ranges at all: everything.
  for (
    const range of ["bytes=0-1,5-6", "bytes=5-2", "bytes=-", "bytes=a-b", "lines=0-1", "bytes=0x1-2", "bytes= 1 - 2"]
  ) {
    const response = await bed.ask({ range });
    assertEquals([response.status, (await bytes(response)).length], [200, length], range);
  }
});

Deno.test("Images.serve() answers ranges only of what the client has the rest of", async () => {
  await using bed = await served();
  for (
    const [condition, status] of [[bed.etag, 206], [LAST_MODIFIED, 206], ['"x"', 200], [`W/${bed.etag}`, 200], [
      "x",
      200,
    ], [
      "Sat, 03 Feb 2024 04:05:07 GMT",
      200,
    ]] as const
  ) {
    const response = await bed.ask({ range: "bytes=0-1", "if-range": condition });
    assertEquals(response.status, status, condition);
    await response.text();
  }
});

Deno.test("Images.serve() lets no script in an SVG run, and no browser guess", async () => {
  await using bed = await served();
  const svg = new TextEncoder().encode(
    '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><script>alert(1)</script></svg>',
  );
  bed.source.put("a.svg", svg);
  bed.source.put("evil.svg", new TextEncoder().encode("<!DOCTYPE html><script>alert(1)</script>"));
  bed.source.put("gif.html", await fixture("gif.gif"));
  const response = await bed.images.serve(new Request("http://localhost/"), "a.svg", {
    headers: { "content-security-policy": "default-src *", "x-content-type-options": "off", "x-frame-options": "DENY" },
  });
  assertEquals(await bytes(response), svg);
  assertEquals(response.headers.get("content-type"), "image/svg+xml");
  const policy = response.headers.get("content-security-policy")!;
  assert(policy.startsWith("default-src 'none';") && policy.endsWith("sandbox") && !policy.includes("script"), policy);
  assertEquals([response.headers.get("x-content-type-options"), response.headers.get("x-frame-options")], [
    "nosniff",
    "DENY",
  ]);
  assertEquals((await bed.images.serve(new Request("http://localhost/"), "evil.svg")).status, 404);
  const polyglot = await bed.images.serve(new Request("http://localhost/"), "gif.html");
  assertEquals([polyglot.headers.get("content-type"), polyglot.status], ["image/gif", 200]);
  await polyglot.body!.cancel();
});

Deno.test("Images.serve() never sends the bytes of one image with the headers of another", async () => {
  await using bed = await served();
  const gif = await fixture("gif.gif");
  bed.source.put("a.png", gif, { modified: MODIFIED + 5000 }); // what is known is still believed for a second
  const response = await bed.ask();
  assertEquals([response.status, response.headers.get("content-type")], [200, "image/gif"]);
  assertEquals(response.headers.get("content-length"), String(gif.length));
  assertEquals(await bytes(response), gif);
  bed.source.images.delete("a.png");
  assertEquals((await bed.ask()).status, 404);
});

Deno.test("Images.serve() rejects when the source fails", async () => {
  await using bed = await served();
  bed.source.failing = new Error("gone");
  await assertRejects(() => bed.ask(), Error, "gone");
});

Deno.test("Images.serve() behind Deno.serve()", async () => {
  await using bed = await served();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => bed.images.serve(request, imageNameOf(request, "/images/"), { cacheControl: "public, max-age=60" }),
  );
  try {
    const url = `http://127.0.0.1:${server.addr.port}/images/a.png`;
    const first = await fetch(url);
    assertEquals([first.status, first.headers.get("cache-control")], [200, "public, max-age=60"]);
    assertEquals(await bytes(first), PNG);
    const second = await fetch(url, { headers: { "if-none-match": first.headers.get("etag")! } });
    assertEquals([second.status, await second.text()], [304, ""]);
    const part = await fetch(url, { headers: { range: "bytes=-3" } });
    assertEquals([part.status, await bytes(part)], [206, PNG.slice(-3)]);
    const head = await fetch(url, { method: "HEAD" });
    assertEquals([head.status, head.headers.get("content-length")], [200, String(PNG.length)]);
    for (const path of ["/images/", "/images/..%2fa.png", "/a.png"]) {
      const response = await fetch(`http://127.0.0.1:${server.addr.port}${path}`);
      assertEquals([response.status, await response.text()], [404, "Not Found\n"]);
    }
  } finally {
    await server.shutdown();
  }
});

Deno.test("Images.serve() understands dates in all three forms (RFC 9110, 5.6.7)", async () => {
  await using bed = await served();
  for (const date of [LAST_MODIFIED, "Saturday, 03-Feb-24 04:05:06 GMT", "Sat Feb  3 04:05:06 2024"]) {
    assertEquals((await bed.ask({ "if-modified-since": date })).status, 304, date);
    const part = await bed.ask({ range: "bytes=0-0", "if-range": date });
    await part.body?.cancel();
    assertEquals(part.status, 206, date);
  }
});
