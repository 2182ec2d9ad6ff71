import { assertEquals } from "@std/assert";
import { Application, Router } from "@oakserver/oak";
import { Hono } from "hono";
import { connect, type Larder } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import { cacheResponse, type CacheResponseOptions } from "../../src/http/mod.ts";
import * as oak from "../../src/http/oak.ts";
import { onBothStores, serve, type Service } from "../sessions/served.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { sendRaw } from "../support/raw_http.ts";

/**
 * The request of a handler that sends whoever came without TLS to where there is TLS, by the scheme that its framework
 * tells.
 */
type Scheme = { readonly said: string | null; readonly url: string };

/** A page for those who came by https, and the way there for others. */
function answer(path: string, seen: Scheme, scheme: string): Response {
  if (scheme !== "https") {
    return new Response(null, {
      status: 301,
      headers: { location: `https://shop.example${path}`, "cache-control": "max-age=60" },
    });
  }
  return new Response(`${path} by ${seen.said}`, { headers: { "cache-control": "max-age=60" } });
}

const services: Readonly<Record<string, (redis: Larder, options: CacheResponseOptions) => Service>> = {
  "Deno.serve": (redis, options) => {
    const cached = cacheResponse(redis, options);
    return serve((request, info) =>
      cached(request, (request) => {
        const said = request.headers.get("x-forwarded-proto");
        const { pathname } = new URL(request.url);
        return answer(pathname, { said, url: request.url }, said ?? "http");
      }, info)
    );
  },
  "Hono": (redis, options) => {
    const app = new Hono();
    app.use(hono.cacheResponse(redis, options));
    app.all("*", ({ req }) => {
      const said = req.header("x-forwarded-proto") ?? null;
      return answer(req.path, { said, url: req.url }, said ?? "http");
    });
    return serve((request, info) => app.fetch(request, info));
  },
  "Oak": (redis, options) => {
    const app = new Application({ logErrors: false, proxy: true });
    app.use(oak.cacheResponse(redis, options) as never);
    const router = new Router();
    router.all("/(.*)", ({ request, response }) => {
      const { protocol, pathname, href } = request.url;
      const scheme = protocol.slice(0, -1);
      const { status, headers, body } = answer(pathname, { said: scheme, url: href }, scheme);
      response.status = status;
      for (const [name, value] of headers) response.headers.set(name, value);
      if (body) response.body = body;
    });
    app.use(router.routes());
    return serve(async (request, info) => {
      const made = await app.handle(request as never, info.remoteAddr) as unknown as Response;
      return new Response(made.body, { status: made.status, headers: [...made.headers] });
    });
  },
};

/** What somebody gets who asks a port for a page of the shop. */
async function ask(port: number, path: string, ...headers: string[]): Promise<[number, string, string | null]> {
  const lines = [`GET ${path} HTTP/1.1`, "Host: shop.example", "Connection: close", ...headers];
  const { status, body, headers: got } = await sendRaw(port, `${lines.join("\r\n")}\r\n\r\n`);
  return [status, got.get("location") ?? body, got.get("x-cache")];
}

async function startProxy(service: Service, scheme: string): Promise<{ port: number } & AsyncDisposable> {
  const process = DenoProcess.start(import.meta.resolve("./forwarding_proxy.ts"), String(service.port), scheme);
  const port = await process.receive() as number;
  return { port, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

for (const [framework, open] of Object.entries(services)) {
  onBothStores(`${framework}: behind a proxy with TLS, the page is kept and not the way to it`, async (connect) => {
    await using redis = await connect({ rateLimit: { trustProxy: ["loopback"] } });
    await using service = open(redis, {});
    await using tls = await startProxy(service, "https");
    await using plain = await startProxy(service, "http");
    const way = "https://shop.example/a";
    assertEquals(await ask(plain.port, "/a"), [301, way, "MISS"]);
    assertEquals(await ask(tls.port, "/a"), [200, "/a by https", "MISS"]);
    assertEquals(await ask(tls.port, "/a"), [200, "/a by https", "HIT"]);
    assertEquals(await ask(plain.port, "/a"), [301, way, "HIT"]);
    assertEquals((await redis.cache.invalidateByPattern("https:shop.example/*")).status, "done");
    assertEquals(await ask(tls.port, "/a"), [200, "/a by https", "MISS"], "the scheme is part of the key");
    assertEquals(await ask(plain.port, "/a"), [301, way, "HIT"]);
  });
}

for (const framework of ["Deno.serve", "Hono"]) {
  onBothStores(`${framework}: what a stranger says of the scheme changes nothing`, async (connect) => {
    await using redis = await connect();
    const open = services[framework]!;
    await using service = open(redis, { trustProxy: ["loopback"] });
    await using tls = await startProxy(service, "https");
    // The same shop, where this machine is none of its proxies.
    await using strange = open(redis, { trustProxy: ["192.0.2.0/24"] });
    const way = "https://shop.example/a";
    for (
      const claim of ["X-Forwarded-Proto: https", "Forwarded: proto=https", "X-Forwarded-Proto: ftp"]
    ) {
      assertEquals((await ask(strange.port, "/a", claim)).slice(0, 2), [301, way], claim);
    }
    assertEquals(await ask(strange.port, "/a"), [301, way, "HIT"], "all were one page");
    assertEquals(await ask(tls.port, "/a"), [200, "/a by https", "MISS"], "whom no stranger has sent elsewhere");
    assertEquals((await ask(tls.port, "/a", "X-Forwarded-Proto: http"))[2], "HIT", "which the proxy writes over");
    assertEquals(await ask(strange.port, "/a", "X-Forwarded-Proto: https"), [301, way, "HIT"]);
  });
}

Deno.test("cacheResponse() reads the scheme as the proxies in front write it", async (t) => {
  await using redis = await connect({ url: "memory:" });
  const cases: [name: string, trust: CacheResponseOptions["trustProxy"], headers: HeadersInit, seen: string][] = [
    ["a number of proxies", 1, { "x-forwarded-proto": "https" }, "https: https null"],
    ["a list, of which the client's is first", "any", { "x-forwarded-proto": "https, http" }, "https: https null"],
    ["in capitals", "any", { "x-forwarded-proto": " HTTPS " }, "https: https null"],
    ["Forwarded", "any", { forwarded: 'for="[::1]";proto=https;by=x, for=y' }, "https: null proto=https"],
    ["Forwarded, quoted", "any", { forwarded: 'for="a;proto=http,";Proto="https"' }, "https: null proto=https"],
    ["two that contradict each other", "any", {
      "x-forwarded-proto": "https",
      forwarded: "proto=http",
    }, "http: null null"],
    ["the one that the proxies write", { hops: 1, header: "x-forwarded-for" }, {
      "x-forwarded-proto": "https",
      forwarded: "proto=http",
    }, "https: https null"],
    ["the other one", { hops: 1, header: "forwarded" }, {
      "x-forwarded-proto": "http",
      forwarded: "proto=https",
    }, "https: null proto=https"],
    ["none that there is", "any", { "x-forwarded-proto": "gopher" }, "http: null null"],
    ["none at all", "any", {}, "http: null null"],
    ["no proxy", undefined, { "x-forwarded-proto": "https" }, "http: null null"],
  ];
  for (const [name, trustProxy, headers, seen] of cases) {
    await t.step(name, async () => {
      const cached = cacheResponse(redis, { trustProxy });
      const url = `http://shop.example:443/${encodeURIComponent(name)}`;
      const page = ({ url, headers }: Request) =>
        new Response(`${URL.parse(url)!.protocol} ${headers.get("x-forwarded-proto")} ${headers.get("forwarded")}`);
      assertEquals(await (await cached(new Request(url, { headers }), page)).text(), seen);
    });
  }
});
