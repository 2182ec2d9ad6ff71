import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { httpSource } from "../../src/images/mod.ts";
import { file, images, Origin } from "./origin.ts";
import { fixture } from "./support.ts";

const PNG = await fixture("png.png");
const GIF = await fixture("gif.gif");

Deno.test("httpSource() asks by ETag whether an image changed, and reads it only if so", async () => {
  await using origin = new Origin();
  origin.answer = file(PNG, { etag: '"1"', "last-modified": "Sat, 03 Feb 2024 04:05:06 GMT" });
  const { clock, cache, images: pictures } = images(origin);
  await using _ = cache;
  const info = await pictures.get("a b/ü#?.png");
  assertEquals([info.width, info.size, info.timestamp], [47, PNG.length, Date.UTC(2024, 1, 3, 4, 5, 6)]);
  const path = "/i/a%20b/%C3%BC%23%3F.png";
  assertEquals(origin.asked(), [`HEAD ${path}`, `GET ${path}`]);
  clock.advance("500ms");
  await pictures.get("a b/ü#?.png");
  assertEquals(origin.asked(), []);
  clock.advance("500ms");
  assertEquals(await pictures.get("a b/ü#?.png"), info);
  assertEquals(origin.asked(), [`HEAD ${path} "1"`]);
  origin.answer = file(GIF, { etag: '"2"' });
  clock.advance("1s");
  assertEquals((await pictures.get("a b/ü#?.png")).type, "image/gif");
  assertEquals(origin.asked(), [`HEAD ${path} "1"`, `GET ${path}`]);
});

Deno.test("httpSource() asks by Last-Modified where there is no ETag", async () => {
  await using origin = new Origin();
  const date = "Sat, 03 Feb 2024 04:05:06 GMT";
  origin.answer = file(PNG, { "last-modified": date });
  const { clock, cache, images: pictures } = images(origin);
  await using _ = cache;
  await pictures.get("a.png");
  origin.asked();
  clock.advance("1s");
  await pictures.get("a.png");
  assertEquals(origin.asked(), [`HEAD /i/a.png ${date}`]);
});

Deno.test("httpSource() reads each time what has neither, and gets by without HEAD", async () => {
  await using origin = new Origin();
  let bytes = PNG;
  origin.answer = (request) => request.method === "HEAD" ? new Response(null, { status: 405 }) : new Response(bytes);
  const { clock, cache, images: pictures } = images(origin);
  await using _ = cache;
  assertEquals((await pictures.get("a.png")).type, "image/png");
  bytes = GIF;
  clock.advance("1s");
  assertEquals((await pictures.get("a.png")).type, "image/gif");
  assertEquals(origin.asked().filter((line) => line.startsWith("HEAD")).length, 2);
});

Deno.test("httpSource() serves ranges, from servers with ranges and without", async () => {
  await using origin = new Origin();
  const { cache, images: pictures } = images(origin);
  await using _ = cache;
  for (const ranges of [true, false]) {
    const whole = file(PNG, { etag: `"${ranges}"` });
    origin.answer = (request) => {
      const [, start, end] = /bytes=(\d+)-(\d*)/.exec(request.headers.get("range") ?? "") ?? [];
      if (!ranges || start === undefined) return whole(request);
      const part = PNG.slice(Number(start), end ? Number(end) + 1 : undefined);
      const range = `bytes ${start}-${Number(start) + part.length - 1}/${PNG.length}`;
      return new Response(part, { status: 206, headers: { etag: '"true"', "content-range": range } });
    };
    const name = `${ranges}.png`;
    const request = new Request("http://localhost/", { headers: { range: "bytes=5-9" } });
    const response = await pictures.serve(request, name);
    assertEquals([response.status, [...new Uint8Array(await response.arrayBuffer())]], [206, [...PNG.slice(5, 10)]]);
    const all = await pictures.serve(new Request("http://localhost/"), name);
    assertEquals([all.status, new Uint8Array(await all.arrayBuffer())], [200, PNG]);
  }
});

Deno.test("httpSource() goes only to hosts that are allowed", async (t) => {
  await using origin = new Origin();
  await using other = new Origin();
  other.answer = file(PNG, { etag: '"1"' });

  await t.step("a base elsewhere is refused when it is made", () => {
    const base = "http://169.254.169.254/latest/";
    assertThrows(() => httpSource({ base, hosts: ["cdn.example.com"] }), RangeError, "a host that is allowed");
    assertThrows(() => httpSource({ base, hosts: [] }), TypeError, "the hosts that are allowed");
    assertThrows(() => httpSource({ base } as unknown as { base: string; hosts: string[] }), TypeError);
    for (
      const base of [
        "file:///etc/",
        "http://a/b",
        "http://user:secret@a/",
        "x",
        "ftp://a/",
        "http://a/?b=/",
        "http://a/?",
        "http://a/#/",
      ]
    ) {
      const error = assertThrows(() => httpSource({ base, hosts: ["a"] }), TypeError);
      assert(!error.message.includes("secret"));
    }
  });

  await t.step("redirects to another host are refused, and that host is not asked", async () => {
    origin.answer = () => Response.redirect(`http://${other.host}/i/a.png`);
    const { cache, images: pictures } = images(origin);
    await using _ = cache;
    const error = await assertRejects(() => pictures.get("a.png"), RangeError, "redirects to allowed hosts");
    assert(error.message.includes(other.host));
    assertEquals(other.asked(), []);
  });

  await t.step("redirects with a name or a password are refused, whatever else they say", async () => {
    const { cache, images: pictures } = images(origin, { hosts: [origin.host, other.host] });
    await using _ = cache;
    for (const user of ["ada:secret@", ":secret@", "ada@"]) {
      origin.answer = () =>
        new Response(null, { status: 302, headers: { location: `http://${user}${other.host}/i/a.png` } });
      const error = await assertRejects(() => pictures.get("a.png"), RangeError, "redirects to allowed hosts");
      assert(!error.message.includes("secret"));
      assertEquals(other.asked(), []);
    }
  });
  await t.step("redirects to a host that is allowed are followed, without our headers", async () => {
    origin.answer = () => Response.redirect(`http://${other.host}/i/b.png`);
    const { cache, images: pictures } = images(origin, {
      hosts: [origin.host, other.host],
      headers: { authorization: "Bearer secret" },
    });
    await using _ = cache;
    assertEquals((await pictures.get("a.png")).width, 47);
    assertEquals(origin.headers.at(-1)!.get("authorization"), "Bearer secret");
    assertEquals(other.headers.map((headers) => headers.get("authorization")), [null, null]);
  });

  await t.step("redirects in a circle end", async () => {
    origin.answer = (request) => Response.redirect(request.url);
    const { cache, images: pictures } = images(origin);
    await using _ = cache;
    origin.asked();
    await assertRejects(() => pictures.get("a.png"), RangeError, "3 redirects");
    assertEquals(origin.asked().length, 4);
  });

  await t.step("names stay below the base", async () => {
    origin.answer = file(PNG, { etag: '"1"' });
    const { cache, images: pictures } = images(origin);
    await using _ = cache;
    origin.asked();
    for (const name of ["../a.png", "//evil/a.png", "http://evil/a.png", "%2e%2e/a.png", "a/..%2f..%2fb.png"]) {
      await assertRejects(() => pictures.get(name), RangeError);
    }
    assertEquals(origin.asked(), []);
    await pictures.get("@evil.png");
    assertEquals(origin.asked(), ["HEAD /i/%40evil.png", "GET /i/%40evil.png"]);
  });
});

Deno.test("httpSource() waits for the origin as long as it was told, and not for whoever reads slowly", async () => {
  await using origin = new Origin();
  const most = 500;
  const { cache, images: pictures } = images(origin, { timeout: `${most}ms` });
  await using _ = cache;
  const parts = 10;
  const bytes = new Uint8Array(PNG.length + 4 * parts * 65_536); // what comes behind an image is none of its business
  bytes.set(PNG);
  origin.answer = file(bytes, { etag: '"1"' });
  const response = await pictures.serve(new Request("http://localhost/"), "a.png");
  const reader = response.body!.getReader();
  let length = 0;
  for (let i = 0;; i++) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    // A client that takes twice as long in all.
    if (i < parts) await new Promise((resolve) => setTimeout(resolve, 2 * most / parts));
  }
  assertEquals([response.status, length], [200, bytes.length]);

  const ends: (() => void)[] = [];
  origin.answer = () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(PNG);
        const timer = setInterval(() => controller.enqueue(new Uint8Array(1)), 20);
        ends.push(() => clearInterval(timer));
      },
      cancel: () => ends.forEach((end) => end()),
    });
    return new Response(body, { headers: { etag: '"2"' } });
  };
  await assertRejects(() => pictures.get("drip.png"), DOMException, "wanted it in time");
  ends.forEach((end) => end());
});
