import { assert, assertEquals } from "@std/assert";
import express from "express";
import type { AddressInfo } from "node:net";
import { connect, type LarderEvent } from "../../mod.ts";
import * as forExpress from "../../src/http/express.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { type OpenShop, type Shop, shops, visit } from "./shop.ts";
import { OLDEST } from "../support/oldest.ts";

const ignore = !RedisServer.controllable;
const PAGES = 32;
const PAGE = "x".repeat(1024 * 1024);
const QUIET = new Set(["redis.connected", "redis.slow", "cache.hit"]);

/** Bytes that a server has sent since it started. */
async function sentBy(server: RedisServer): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(String(await server.cli("INFO", "stats")))![1]);
}

/** Resolves after every timer that was set before, and that is no longer than this. */
const timersOf = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Called when a connection of Express ends that was not answered: its requests have no signal that says so. */
let hungUp = () => {};

async function openExpress(...[redis, options, answer]: Parameters<OpenShop>): Promise<Shop> {
  // deno-lint-ignore no-explicit-any -- the package's own types are none of those that Larder is written against
  const app = express() as any;
  // deno-lint-ignore no-explicit-any
  app.use((_: unknown, response: any, next: () => void) => {
    response.on("close", () => response.writableEnded || hungUp());
    next();
  });
  app.use(forExpress.cacheResponse(redis, options));
  // deno-lint-ignore no-explicit-any
  app.use(async (_: unknown, response: any) => {
    response.set("content-type", "text/plain").send(await (await answer(new Request("http://localhost/"))).text());
  });
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => closeNodeServer(server),
  };
}

for (const [framework, open] of Object.entries({ ...shops, Express: openExpress })) {
  Deno.test({
    name: `${framework}: cacheResponse() reads nothing for who has hung up, unless another wants the same`,
    ignore: ignore || (OLDEST && framework === "Express"), // there nobody learns that a visitor has hung up
    async fn() {
      await using server = await RedisServer.start();
      await using proxy = TcpProxy.start(server);
      const events: LarderEvent[] = [];
      await using redis = await connect({
        url: proxy.url,
        commandTimeout: "60s",
        on: (event) => void (QUIET.has(event.type) || events.push(event)),
      });
      let made = 0;
      let asked = 0;
      let gone = 0;
      let watched = false;
      hungUp = () => void (watched && gone++);
      const key = (request: Request) => {
        asked++;
        if (watched) request.signal.addEventListener("abort", () => gone++);
        return new URL(request.url).pathname;
      };
      await using shop = await open(redis, { ttl: "1h", key }, () => {
        made++;
        return new Response(PAGE);
      });
      for (let i = 0; i < PAGES; i++) assertEquals((await visit(`${shop.url}/page/${i}`)).body.length, PAGE.length);
      await until(async () => (await visit(`${shop.url}/page/${PAGES - 1}`)).cache === "HIT", "all are kept");
      [made, asked, events.length] = [0, 0, 0];
      const before = await sentBy(server);

      proxy.bytesPerSecond = 2_000_000; // all pages would take 16 seconds
      watched = true;
      const port = Number(new URL(shop.url).port);
      const visitors = await Promise.all(Array.from({ length: PAGES }, async (_, i) => {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        await connection.write(new TextEncoder().encode(`GET /page/${i} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
        return connection;
      }));
      await until(() => asked === PAGES, "all are waited for");
      // The last one is behind those of all others, which nobody waits for in a moment.
      const staying = visit(`${shop.url}/page/${PAGES - 1}`);
      await until(() => asked === PAGES + 1, "one more waits");
      for (const connection of visitors) connection.close();
      await until(() => gone === PAGES, "all have hung up");
      await timersOf(100);
      proxy.bytesPerSecond = Infinity;

      const { status, body, cache } = await staying;
      assertEquals([status, body.length, cache], [200, PAGE.length, "HIT"]);
      const read = (await sentBy(server) - before) / PAGE.length;
      assert(read > 1 && read < PAGES / 2, `${read} pages were read`);
      assertEquals([made, events], [0, []]);
      assertEquals((await visit(`${shop.url}/page/3`)).cache, "HIT");
    },
  });
}

Deno.test({
  name: "cacheResponse() has a load go on when all who wait for it have hung up, and answers nobody with an error",
  ignore,
  async fn() {
    await using server = await RedisServer.start();
    const events: LarderEvent[] = [];
    const quiet = new Set([...QUIET, "cache.miss", "cache.load"]);
    await using redis = await connect({
      url: server.url,
      commandTimeout: "60s",
      on: (event) => void (quiet.has(event.type) || events.push(event)),
    });
    const gate = Promise.withResolvers<void>();
    const signals: AbortSignal[] = [];
    const cached = cacheResponse(redis, { ttl: "1h" });
    const visitor = new AbortController();
    const ask = (signal?: AbortSignal) =>
      cached(new Request("http://shop.test/slow", { signal: signal ?? null }), async (request) => {
        signals.push(request.signal);
        await gate.promise;
        return new Response("made");
      });
    const first = ask(visitor.signal);
    await until(() => signals.length === 1, "it is loaded");
    const second = ask(visitor.signal);
    await timersOf(100);
    visitor.abort();
    assertEquals((await second).status, 499);
    gate.resolve();
    await (await first).body?.cancel();
    assertEquals([signals.length, signals[0]!.aborted], [1, false]);
    await until(async () => (await ask()).headers.get("x-cache") === "HIT", "it is kept");

    await server.pause();
    const reading = ask(visitor.signal);
    assertEquals((await reading).status, 499);
    await server.resume();
    assertEquals([signals.length, events], [1, []]);
  },
});
