import { assertEquals } from "@std/assert";
import { Hono } from "hono";
import { badRequest, keepTarget, targetOf } from "../../src/web/target.ts";
import { rawRequest, sendRaw, utf8 } from "../support/raw_http.ts";
import { OLDEST } from "../support/oldest.ts";

type Read = [scheme: string, host: string, path: string, query: string];

const listen = { hostname: "127.0.0.1", port: 0, onListen() {} };

/** What is asked of a server that hands it on as it is. */
const RECENT: [target: string, host: string, wanted: Read][] = [
  ["https://other.example:443/login", "localhost", ["https", "other.example", "/login", ""]],
  [utf8("/café"), "localhost", ["http", "localhost", "/café", ""]],
];

/** Whether the server hands a target on: that of the oldest makes a path of an absolute one by itself. */
const isRead = (target: string): boolean => !OLDEST || !/^(?!mailto)\w+:\/\//.test(target) || target.includes("@");

/** A server that says how it reads what is asked of it, or that it cannot. */
function serve() {
  return Deno.serve(listen, (request) => {
    const target = targetOf(request);
    return target ? Response.json([target.scheme, target.host, target.path, target.query]) : badRequest();
  });
}

Deno.test("targetOf() reads what was sent, byte for byte", async (t) => {
  await using server = serve();
  const cases: [target: string, host: string, wanted: Read][] = [
    ["/login", "localhost", ["http", "localhost", "/login", ""]],
    ["/login?", "localhost", ["http", "localhost", "/login", "?"]],
    ["/login?a=b?c/d", "localhost", ["http", "localhost", "/login", "?a=b?c/d"]],
    ["/login#x?y", "localhost", ["http", "localhost", "/login", ""]],
    ["/login?x#y", "localhost", ["http", "localhost", "/login", "?x"]],
    ["/x/../login", "localhost", ["http", "localhost", "/x/../login", ""]],
    ["//login", "localhost", ["http", "localhost", "//login", ""]],
    ["/%6Cogin;x", "localhost", ["http", "localhost", "/%6Cogin;x", ""]],
    ["/\\login", "localhost", ["http", "localhost", "/\\login", ""]],
    ["/", "Shop.Example:80", ["http", "shop.example", "/", ""]],
    ["/", "Shop.Example.:8080", ["http", "shop.example.:8080", "/", ""]],
    ["/", "shop.example:", ["http", "shop.example", "/", ""]],
    ["/", "[::1]:8080", ["http", "[::1]:8080", "/", ""]],
    ["/", "[::FFFF:1.2.3.4]", ["http", "[::ffff:102:304]", "/", ""]],
    ["/", "a_b.example", ["http", "a_b.example", "/", ""]],
    ["http://other.example/login?x", "localhost", ["http", "other.example", "/login", "?x"]],
    ["HTTP://Other.Example:80/login", "localhost", ["http", "other.example", "/login", ""]],
    ["http://other.example", "localhost", ["http", "other.example", "/", ""]],
    ...(OLDEST ? [] : RECENT),
  ];
  for (const [target, host, wanted] of cases) {
    await t.step(`${target} at ${host}`, async () => {
      const { status, body } = await sendRaw(server.addr.port, rawRequest("GET", target, host));
      const decoded = new TextDecoder().decode(Uint8Array.from(body, (char) => char.charCodeAt(0)));
      assertEquals([status, JSON.parse(decoded)], [200, wanted]);
    });
  }
  await t.step("no Host, or an empty one", async () => {
    for (const field of ["", "Host:\r\n"]) {
      const request = `GET /login HTTP/1.1\r\n${field}Connection: close\r\n\r\n`;
      const { body } = await sendRaw(server.addr.port, request);
      assertEquals(JSON.parse(body), ["http", `localhost:${server.addr.port}`, "/login", ""]);
    }
  });
  await t.step({
    name: "the method that asks about the server",
    ignore: OLDEST,
    fn: async () => {
      const { body } = await sendRaw(server.addr.port, rawRequest("OPTIONS", "*"));
      assertEquals(JSON.parse(body), ["http", "localhost", "/*", ""]);
    },
  });
});

Deno.test("targetOf() reads none that is no authority", async (t) => {
  await using server = serve();
  const hosts = [
    ...["a?", "a#", "a\\", "a b", "a\tb", "[::1", "::1", "[::1]x", "[fe80::1%25eth0]", "[]", "[1.2.3.4]"],
    ...["u@h", "u:p@h", "@h", "a%3f", "a%2e", "a/b", "a/../b", "a:99999", "a:080000", "a:x", "a:80:80", ":80"],
    ...["1.2.3.256", "xn--a", utf8("ü"), "a<b", "a|b", "a^b", 'a"b', "a, b", "a\x7f", "a\xa0", "http://a"],
  ];
  for (const host of hosts) {
    await t.step(`Host: ${JSON.stringify(host)}`, async () => {
      assertEquals((await sendRaw(server.addr.port, rawRequest("POST", "/login", host))).status, 400);
      // An absolute target does not make up for it: the handler sees the header.
      const absolute = rawRequest("POST", "http://localhost/login", host);
      assertEquals((await sendRaw(server.addr.port, absolute)).status, 400, "absolute");
    });
  }
  const targets = [
    ...["http://a?/login", "http://a#/login", "http://a\\/login", "http://u@h/login", "http://u:p@h/login"],
    ...["http://h:99999/login", "http://[::1/login", "http://a%3f/login", "ftp://h/login", "ws://h/login"],
    ...["h:80", "login", "?x", "\\login", "mailto:x", "http://h?x=/login", "HTTPS://h#/login", "javascript://h/login"],
  ];
  for (const target of targets.filter(isRead)) {
    await t.step(`target ${target}`, async () => {
      assertEquals((await sendRaw(server.addr.port, rawRequest("POST", target))).status, 400);
    });
  }
  await t.step("CONNECT", async () => {
    assertEquals((await sendRaw(server.addr.port, rawRequest("CONNECT", "h:80"))).status, 400);
  });
  await t.step("two of them", async () => {
    const request = rawRequest("GET", "/", "a", ["Host: b"]);
    assertEquals((await sendRaw(server.addr.port, request)).status, 400);
  });
  await t.step("what is read is the path that Hono routes", async () => {
    const app = new Hono();
    app.all("*", (context) => {
      const target = targetOf(context.req.raw);
      return target ? Response.json([decodeURI(target.path), context.req.path]) : badRequest();
    });
    await using server = Deno.serve(listen, app.fetch);
    for (const target of ["/login", "//login", "/x/../login", "/%6cogin", "/login;x", "http://h/login", "HTTP://H/x"]) {
      const { body } = await sendRaw(server.addr.port, rawRequest("GET", target));
      const [ours, theirs] = JSON.parse(body);
      assertEquals(ours, theirs);
    }
    const refused = [["/login", "a?"], ["/login", "a#"], ["http://h?x=/login", "h"], ["/login", "a/b"]] as const;
    for (const [target, host] of refused.filter(([target]) => isRead(target))) {
      assertEquals((await sendRaw(server.addr.port, rawRequest("GET", target, host))).status, 400, target);
    }
  });
});

Deno.test("targetOf() knows the target of which a request was made", () => {
  const read = (target: string, headers: Record<string, string> = {}) => {
    const request = new Request("https://localhost:8443/made", { headers });
    keepTarget(request, target);
    const found = targetOf(request);
    return found && [found.scheme, found.host, found.path, found.query];
  };
  assertEquals(read("/x/../login?y"), ["https", "localhost:8443", "/x/../login", "?y"]);
  assertEquals(read("/login", { host: "Shop.example" }), ["https", "shop.example", "/login", ""]);
  assertEquals(read("/login", { host: "a?" }), undefined);
  assertEquals(read("http://a?/login"), undefined);
  assertEquals(read("http://other.example/login"), ["http", "other.example", "/login", ""]);
  assertEquals(read("*"), ["https", "localhost:8443", "/*", ""]);
  for (const target of ["login", "", "h:80", "?x"]) assertEquals(read(target), undefined, target);
});

Deno.test("targetOf() reads a long target, and many hosts, in a short time", () => {
  const long = new Request(`http://localhost/${"a/../".repeat(200_000)}?${"b".repeat(100_000)}`);
  assertEquals(targetOf(long)?.query.length, 100_001);
  const host = new Request("http://localhost/", { headers: { host: "a.".repeat(500_000) } });
  assertEquals(targetOf(host), undefined);
  for (let i = 0; i < 3000; i++) {
    const request = new Request("http://localhost/", { headers: { host: `${i}.example` } });
    assertEquals(targetOf(request)?.host, "localhost");
  }
});

Deno.test("badRequest() is a problem that nobody keeps", async () => {
  const response = badRequest();
  assertEquals([response.status, response.headers.get("Content-Type"), response.headers.get("Cache-Control")], [
    400,
    "application/problem+json",
    "no-store",
  ]);
  assertEquals((await response.json()).status, 400);
});
