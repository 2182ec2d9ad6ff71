import { Hono } from "hono";
import { cache as honoCache } from "npm:hono@4.13.19/cache";
import { connect } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const PAGES = 100;
const PLAIN = "the handler alone";
const PEER = "Hono's cache middleware";

/** A page of 2 KiB that costs nothing to make: what is measured is what stands in front of it. */
function page(request: Request): Response {
  const { pathname } = new URL(request.url);
  return new Response(`<h1>${pathname}</h1>${"x".repeat(2000)}`, { headers: { "content-type": "text/html" } });
}

/**
 * Kept responses over a socket, beside the handler alone and beside the middleware of Hono, which keeps them in the
 * runtime's own cache.
 */
export const RESPONSE_HIT: Scenario = {
  name: "response-hit",
  async run({ server, rounds }) {
    await using redis = await connect({ url: server.url, namespace: "larder-bench-responses", commandTimeout: "10s" });
    await using memory = await connect({ url: "memory:" });
    const options = { ttl: "1h" };
    const [onRedis, embedded] = [cacheResponse(redis, options), cacheResponse(memory, options)];
    const ours = new Hono();
    ours.use(hono.cacheResponse(redis, options));
    ours.get("*", (context) => page(context.req.raw));
    const theirs = new Hono();
    await caches.delete("larder-bench");
    theirs.get("*", honoCache({ cacheName: "larder-bench", wait: true, cacheControl: "max-age=3600" }));
    theirs.get("*", (context) => page(context.req.raw));
    const handlers: Record<string, (request: Request) => Response | Promise<Response>> = {
      [PLAIN]: page,
      "cacheResponse, Redis": (request) => onRedis(request, page),
      "cacheResponse, embedded": (request) => embedded(request, page),
      "cacheResponse for Hono, Redis": (request) => ours.fetch(request),
      [PEER]: (request) => theirs.fetch(request),
    };
    const servers = Object.entries(handlers).map(([name, handler]) => ({
      name,
      server: Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler),
    }));
    const contenders = servers.map(({ name, server: { addr } }) => ({
      name,
      async run(i: number): Promise<void> {
        const response = await fetch(`http://127.0.0.1:${addr.port}/page/${i % PAGES}`);
        const text = await response.text();
        if (text.length < 2000) throw new Error(`Cannot measure ${name}: wanted a page, got ${text.length} bytes`);
      },
    }));
    try {
      for (const { run } of contenders) for (let i = 0; i < PAGES; i++) await run(i);
      const rates = await inRounds(contenders, { callers: 64, rounds });
      const own = contenders.map(({ name }) => name).filter((name) => name.startsWith("cacheResponse"));
      return compare("kept response over a socket, 2 KB, 64 callers", rates, own);
    } finally {
      await Promise.all(servers.map(({ server }) => server.shutdown()));
      await caches.delete("larder-bench");
    }
  },
};
