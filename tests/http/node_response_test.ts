import { assertEquals, assertRejects } from "@std/assert";
import express from "express";
import fastify from "fastify";
import { Buffer } from "node:buffer";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "../../mod.ts";
import { cacheResponse } from "../../src/http/express.ts";
import * as forFastify from "../../src/http/fastify.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { visit } from "./shop.ts";

// deno-lint-ignore no-explicit-any -- the packages' own types are none of those that Larder is written against
type Any = any;

async function serve(handler: (path: string, response: ServerResponse) => unknown) {
  const redis = await connect({ url: "memory:" });
  const app = express() as Any;
  app.use(cacheResponse(redis, { ttl: "1m" }));
  app.get("/:name", (request: Any, response: Any) => handler(request.path, response));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await closeNodeServer(server);
      await redis.close();
    },
  };
}

Deno.test("Express: writeHead() takes lists that name a header several times", async () => {
  await using app = await serve((path, response) => {
    response.setHeader("x-one", "0");
    const flat = ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-One", "1"];
    const pairs = [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-One", "1"]];
    response.writeHead(200, (path === "/flat" ? flat : pairs) as Any);
    response.end();
  });
  for (const path of ["/flat", "/pairs"]) {
    const { headers } = await visit(`${app.url}${path}`);
    assertEquals([headers.getSetCookie(), headers.get("x-one")], [["a=1", "b=2"], "1"], path);
  }
});

Deno.test("Express: texts behind the cache are sent in the encodings of Node.js", async () => {
  const bytes = Buffer.from([0, 1, 250, 255, 65, 66, 67, 68]);
  await using app = await serve((path, response) => {
    const encoding = path.slice(1) as Any;
    response.write(bytes.subarray(0, 6).toString(encoding), encoding);
    response.end(bytes.subarray(6).toString(encoding), encoding);
  });
  for (const encoding of ["base64", "base64url", "hex", "latin1", "binary", "utf16le", "ucs2"]) {
    for (const cache of ["MISS", "HIT"]) {
      const response = await fetch(`${app.url}/${encoding}`);
      assertEquals([...new Uint8Array(await response.arrayBuffer())], [...bytes], encoding);
      assertEquals(response.headers.get("x-cache"), cache);
    }
  }
});

Deno.test("Fastify: register() rejects where the plugin cannot be used", async () => {
  await using redis = await connect({ url: "memory:" });
  const wrong: Record<string, unknown>[] = [{ nope: 1 }, { redis: undefined }, { rules: { "*": "NONE" } }];
  for (const options of wrong) {
    const app = fastify({ pluginTimeout: 1000 }) as Any;
    await assertRejects(async () => await app.register(forFastify.larder, { redis, ...options }), Error, "Cannot");
    await app.close().catch(() => {});
  }
  const taken = fastify({ pluginTimeout: 1000 }) as Any;
  taken.decorate("cache", 1);
  await assertRejects(async () => await taken.register(forFastify.larder, { redis }), Error, "'cache'");
  await taken.close().catch(() => {});
});
