import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { Hono } from "hono";
import { every } from "hono/combine";
import { connect } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import { sendRaw } from "../support/raw_http.ts";
import { onBothStores, serve } from "../sessions/served.ts";
import { shops, visit } from "./shop.ts";

/** Asks with a head of which each byte counts. */
function ask(port: number, target: string, ...lines: string[]) {
  const connection = lines.some((line) => /^connection:/i.test(line)) ? [] : ["Connection: close"];
  return sendRaw(port, [`GET ${target} HTTP/1.1`, ...lines, ...connection, "", ""].join("\r\n"));
}

for (const [framework, open] of Object.entries(shops)) {
  Deno.test(`${framework}: whoever names another host, or spells it in another way, changes no page of others`, async () => {
    await using redis = await connect({ url: "memory:" });
    await using served = open(redis, {}, ({ headers }) => new Response(`//${headers.get("host")}/`));
    const { port, host } = new URL(served.url);
    for (const path of ["/absolute", "/spelled"]) {
      const evil = path === "/absolute"
        ? await ask(Number(port), `http://${host}${path}`, "Host: evil.example")
        : await ask(Number(port), path, "Host: Shop.Example:80");
      const innocent = await ask(Number(port), path, `Host: ${path === "/absolute" ? host : "shop.example"}`);
      const own = path === "/absolute" ? `//${host}/` : "//shop.example/";
      assertEquals([evil.body, innocent.body, innocent.headers.get("x-cache")], [own, own, "HIT"]);
    }
  });

  Deno.test(`${framework}: whoever has a header taken away by Connection changes no page of those who send it`, async () => {
    await using redis = await connect({ url: "memory:" });
    await using served = open(
      redis,
      {},
      ({ headers }) => new Response(`in ${headers.get("accept-language")}`, { headers: { vary: "accept-language" } }),
    );
    const port = Number(new URL(served.url).port);
    const evil = await ask(port, "/", "Host: a", "Accept-Language: de", "Connection: close, Accept-Language");
    const innocent = await ask(port, "/", "Host: a", "Accept-Language: de");
    assertEquals([evil.headers.get("x-cache"), innocent.body], ["BYPASS", "in de"]);
  });

  Deno.test(`${framework}: whoever sends a body with GET is answered by himself, and nobody else with that`, async () => {
    await using redis = await connect({ url: "memory:" });
    let made = 0;
    await using served = open(redis, {}, () => new Response(`page ${++made}`));
    const port = Number(new URL(served.url).port);
    const length = ["Host: a", "Content-Length: 4", "Connection: close"];
    const chunked = ["Host: a", "Transfer-Encoding: chunked", "Connection: close"];
    for (const [lines, body] of [[length, "evil"], [chunked, "4\r\nevil\r\n0\r\n\r\n"]] as const) {
      const { headers } = await sendRaw(port, ["GET / HTTP/1.1", ...lines, "", body].join("\r\n"));
      assertEquals(headers.get("x-cache"), "BYPASS");
    }
    const outcomes = [await ask(port, "/", "Host: a"), await ask(port, "/", "Host: a", "Content-Length: 0")];
    assertEquals(outcomes.map(({ headers }) => headers.get("x-cache")), ["MISS", "HIT"]);
  });
}

const wrappers: Record<string, (middleware: hono.HonoMiddleware) => hono.HonoMiddleware> = {
  "every()": (middleware) => every(middleware as never) as never,
  "a function": (middleware) => (context, next) => middleware(context, next),
};
for (const [name, wrap] of Object.entries(wrappers)) {
  Deno.test(`Hono: within ${name}, the handler of a page for all is told nothing of who asks`, async () => {
    await using redis = await connect({ url: "memory:" });
    const app = new Hono();
    app.use(wrap(hono.cacheResponse(redis, { ttl: "1m" })) as never);
    app.get("*", (c) => {
      const seen = ["x-forwarded-host", "if-none-match", "if-modified-since"].map((one) => c.req.header(one) ?? "");
      return c.text(seen.join("|"));
    });
    await using served = serve((request, info) => app.fetch(request, info));
    const headers = { "x-forwarded-host": "evil.example", "if-none-match": '"a"', "if-modified-since": "yesterday" };
    assertEquals((await visit(served.url, { headers })).body, "||");
    const { body, cache } = await visit(served.url);
    assertEquals([body, cache], ["||", "HIT"]);
  });
}

Deno.test("Hono: within a function, a condition of a visitor makes nothing fresh that is another", async () => {
  await using redis = await connect({ url: "memory:" });
  let version = 1;
  const app = new Hono();
  const cached = hono.cacheResponse(redis, { ttl: 1 }) as never as (c: unknown, next: unknown) => Promise<Response>;
  app.use((c, next) => cached(c, next));
  app.get("*", (c) => {
    const etag = `"v${version}"`;
    return c.req.header("if-none-match") === etag ? c.body(null, 304, { etag }) : c.text(etag, 200, { etag });
  });
  using time = new FakeTime();
  const ask = async (headers: Record<string, string> = {}) => await (await app.request("/", { headers })).text();
  await ask();
  version = 2;
  time.now += 1500;
  await ask({ "if-none-match": '"v2"' });
  assertEquals(await ask(), '"v2"');
});

Deno.test("cacheResponse() takes a 304 for what it is of, and nothing else", async () => {
  await using redis = await connect({ url: "memory:" });
  let version = 1;
  const page = ({ headers }: Request) => {
    const validators = { etag: `"v${version}"`, "last-modified": "Sat, 28 Nov 2020 10:00:00 GMT" };
    // It goes by the date, which is that of both.
    if (headers.has("if-modified-since")) return new Response(null, { status: 304, headers: validators });
    return new Response(`page ${version}`, { headers: validators });
  };
  const cached = cacheResponse(redis, { ttl: 1 });
  using time = new FakeTime();
  const ask = async () => {
    const response = await cached(new Request("http://localhost/"), page);
    return [await response.text(), response.headers.get("etag")];
  };
  assertEquals(await ask(), ["page 1", '"v1"']);
  time.now += 1500;
  assertEquals(await ask(), ["page 1", '"v1"']);
  version = 2;
  time.now += 1500;
  assertEquals(await ask(), ["page 2", '"v2"']);
  assertEquals(await ask(), ["page 2", '"v2"']);
});

onBothStores("Hono: a body that looks at a session as it is made is for its visitor", async (connect) => {
  await using redis = await connect();
  const app = new Hono();
  app.use(hono.session(redis) as never);
  // All of a team are said to share, whoever they are.
  app.use(hono.cacheResponse(redis, { key: () => "team" }) as never);
  app.get("*", (c) => {
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async start(controller) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        const user = (await hono.sessionOf(c as never).get())?.userId ?? "nobody";
        controller.enqueue(encoder.encode(`for ${user}`));
        controller.close();
      },
    });
    return c.body(body);
  });
  await using served = serve((request, info) => app.fetch(request, info));
  const headers = new Headers();
  redis.sessions.cookie.write(headers, await redis.sessions.create("ada", {}));
  const cookie = headers.get("set-cookie")!.split(";")[0]!;
  await visit(served.url, { headers: { cookie } });
  const innocent = await visit(served.url);
  assertEquals([innocent.body, innocent.cache === "HIT"], ["for nobody", false]);
});

Deno.test("cacheResponse() tells queries apart that spell one name in several ways", async () => {
  await using redis = await connect({ url: "memory:" });
  const cached = cacheResponse(redis);
  const ask = async (query: string) => {
    const page = ({ url }: Request) => new Response(new URL(url).searchParams.get("a"));
    return await (await cached(new Request(`http://localhost/?${query}`), page)).text();
  };
  assertEquals([await ask("a=1&%61=2&b=3"), await ask("%61=2&b=3&a=1"), await ask("b=9&a=1&%61=2")], ["1", "2", "1"]);
});
