import { assert, assertEquals } from "@std/assert";
import express from "express";
import fastify from "fastify";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { finished, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { connect, type Larder } from "../../mod.ts";
import * as forExpress from "../../src/http/express.ts";
import * as forFastify from "../../src/http/fastify.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { OLDEST } from "../support/oldest.ts";
import { until } from "../support/until.ts";
import { visit } from "./shop.ts";

// deno-lint-ignore no-explicit-any -- the packages' own types are none of those that Larder is written against
type Any = any;
type Handler = (path: string, response: ServerResponse, request: Any) => unknown;

const CHUNKS = Array.from({ length: 120 }, (_, i) => `${String(i).padStart(4, "0")}:`.padEnd(4096, "."));
const ALL = CHUNKS.join("");
const source = () => Readable.from(CHUNKS);
const slowSource = () =>
  Readable.from((async function* () {
    for (const chunk of CHUNKS.slice(0, 5)) {
      yield chunk;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })());

const frameworks: Record<string, (redis: Larder, handler: Handler) => Promise<AsyncDisposable & { url: string }>> = {
  async Express(redis, handler) {
    const app = express() as Any;
    app.set("env", "test"); // says nothing of errors
    app.use(forExpress.session(redis));
    app.use("/cached", forExpress.cacheResponse(redis, { ttl: "1m" }));
    app.use(async (request: Any, response: Any) => {
      await handler(request.originalUrl, response, request);
    });
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      [Symbol.asyncDispose]: () => closeNodeServer(server),
    };
  },
  async Fastify(redis, handler) {
    const app = fastify({ forceCloseConnections: true }) as Any;
    await app.register(forFastify.larder, { redis, sessions: true });
    await app.register(async (pages: Any) => {
      await Promise.resolve();
      pages.addHook("onRequest", forFastify.cacheResponse(redis, { ttl: "1m" }));
      pages.get("/cached/*", async (request: Any, reply: Any) => {
        reply.hijack();
        await handler(request.raw.url, reply.raw, request);
      });
    });
    app.get("/plain/*", async (request: Any, reply: Any) => {
      reply.hijack();
      await handler(request.raw.url, reply.raw, request);
    });
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    return { url, [Symbol.asyncDispose]: () => app.close() };
  },
};

/** On the oldest, a pipe into a response that Fastify has injected, as for a load, is never told of its end. */
const endless = (framework: string) => OLDEST && framework === "Fastify";

const open = () => connect({ url: "memory:", sessions: { cookie: { insecure: true } } });

for (const [framework, serve] of Object.entries(frameworks)) {
  Deno.test(`${framework}: what is piped through sessions and the cache comes whole, in order, and ends`, async () => {
    await using redis = await open();
    const told: string[] = [];
    await using app = await serve(redis, async (path, response) => {
      for (const event of ["finish", "close"]) response.on(event, () => void told.push(event));
      finished(response, (error) => void told.push(error ? `failed: ${error.message}` : "finished"));
      if (path.includes("end")) response.end(ALL);
      else await pipeline(source(), response);
      told.push(`ended: ${response.writableEnded}`);
    });
    const cookie = { headers: { cookie: "id=ada" } };
    for (const path of ["/plain/pipe", "/cached/pipe", "/cached/end"]) {
      for (const init of [cookie, {}]) {
        told.length = 0;
        const { body, cache } = await visit(`${app.url}${path}`, init);
        assert(body === ALL, `${path}: in order`);
        if (path.startsWith("/cached")) assertEquals(cache, init === cookie ? "BYPASS" : "MISS");
        const ended = path === "/cached/pipe" && init !== cookie && endless(framework) ? [] : ["ended: true"];
        const all = ["close", ...ended, "finish", "finished"];
        await until(() => told.length === all.length, `all is told of ${path}: ${told}`);
        assertEquals([...told].sort(), all, path);
        assert(told.indexOf("finish") < told.indexOf("close"));
      }
      if (path.startsWith("/cached")) assertEquals((await visit(`${app.url}${path}`)).cache, "HIT");
    }
  });

  const unsent = `${framework}: a body that is not sent, for HEAD, 204 or 304, does not stop who pipes it`;
  Deno.test(unsent, { ignore: endless(framework) }, async () => {
    await using redis = await open();
    let done = 0;
    await using app = await serve(redis, async (path, response) => {
      response.statusCode = Number(/\d{3}/.exec(path)?.[0] ?? 200);
      await pipeline(path.includes("slow") ? slowSource() : source(), response);
      done++;
    });
    for (
      const path of ["/plain/204", "/plain/slow/204", "/cached/204", "/cached/slow/204", "/cached/304", "/cached/head"]
    ) {
      const before = done;
      const method = path.endsWith("head") ? "HEAD" : "GET";
      const { status, body } = await visit(`${app.url}${path}`, { method });
      assertEquals([status, body], [method === "HEAD" ? 200 : Number(path.slice(-3)), ""], path);
      await until(() => done > before, `${path} is over`);
    }
  });

  const breaks = `${framework}: a source that breaks, and a visitor who goes, end the pipe and leave nothing`;
  // The server of the oldest keeps the connection of a response that is destroyed open.
  Deno.test(breaks, { ignore: OLDEST }, async () => {
    await using redis = await open();
    const failed: string[] = [];
    await using app = await serve(redis, async (path, response) => {
      const begun = Promise.withResolvers<void>();
      response.once("close", begun.resolve);
      const broken = Readable.from((async function* () {
        yield "begun";
        await new Promise((resolve) => setTimeout(resolve, 20));
        // As a source has it that is read: one that never waits leaves a busy process no turn to see the end.
        while (path.includes("gone")) {
          yield CHUNKS[0];
          await new Promise((resolve) => setTimeout(resolve));
        }
        throw new Error("broken");
      })());
      await pipeline(broken, response).catch((error: Error) => void failed.push(error.message));
    });
    for (const path of ["/plain/broken", "/cached/broken", "/plain/gone", "/cached/gone"]) {
      for (const headers of [{ cookie: "id=ada" }, {}] as Record<string, string>[]) {
        // The cache makes for all what this visitor does not wait for: it ends by its size.
        if (path === "/cached/gone" && !headers.cookie) continue;
        const before = failed.length;
        const gone = new AbortController();
        const whole = fetch(`${app.url}${path}`, { headers, signal: gone.signal }).then(async (response) => {
          if (path.includes("gone")) {
            await response.body!.getReader().read();
            gone.abort();
          }
          await response.text();
          return response.status === 200;
        }).catch(() => false);
        assertEquals(await whole, false, path);
        await until(() => failed.length > before, `${path} has failed: ${failed}`);
      }
    }
  });

  // The `node:http` of the oldest takes all that such a source gives into memory, of a plain server, too.
  const paced = `${framework}: a source without an end goes as fast as its visitor reads, and holds nobody up`;
  Deno.test(paced, { ignore: OLDEST }, async () => {
    await using redis = await open();
    let made = 0;
    await using app = await serve(redis, async (_path, response) => {
      const endless = Readable.from((async function* () {
        for (const chunk = "x".repeat(65_536);; made++) yield chunk;
      })());
      await pipeline(endless, response).catch(() => {});
    });
    const { hostname, port } = new URL(app.url);
    for (const path of ["/plain/endless", "/cached/endless"]) {
      made = 0;
      using visitor = await Deno.connect({ hostname, port: Number(port) });
      await visitor.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: a\r\nCookie: id=ada\r\n\r\n`));
      let before = -1;
      await until(async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        return before === (before = made) && made > 0;
      }, "it waits for its visitor");
      assert(made < 1000, `${path}: ${made} chunks of 64 KiB are made for one who reads none`);
    }
  });
}
