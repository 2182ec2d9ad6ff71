import { assertEquals, assertMatch } from "@std/assert";
import express from "express";
import Fastify from "fastify";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, type Larder } from "../../mod.ts";
import * as forExpress from "../../src/http/express.ts";
import * as forFastify from "../../src/http/fastify.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { OLDEST } from "../support/oldest.ts";

interface Service extends AsyncDisposable {
  readonly port: number;
}

/** `/whole` has trailers that are known before; `health` is told. */
const services: Record<string, (redis: Larder) => Promise<Service>> = {
  async Express(redis) {
    const app = express();
    app.get("/health", forExpress.health(redis));
    app.use(forExpress.session(redis), forExpress.cacheResponse(redis, { ttl: "1m" }));
    app.get("/whole", (_request: IncomingMessage, response: ServerResponse) => {
      response.setHeader("Trailer", "X-Sum");
      response.write("a body");
      response.addTrailers({ "X-Sum": "7" });
      response.end();
    });
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    return { port, [Symbol.asyncDispose]: () => closeNodeServer(server) };
  },
  async Fastify(redis) {
    const app = Fastify({ forceCloseConnections: true });
    await app.register(forFastify.larder, { redis, sessions: true, health: "/health" });
    await app.register((scope, _options, done) => {
      scope.addHook("onRequest", forFastify.cacheResponse(redis, { ttl: "1m" }));
      scope.get("/whole", (_request, reply) => {
        reply.trailer("x-sum", (_reply, _payload, done) => void done(null, "7"));
        reply.send("a body");
      });
      done();
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    return { port, [Symbol.asyncDispose]: () => app.close() };
  },
};

/** Asks, and gives all that is sent. */
async function ask(port: number, method: string, path: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const request = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  return await new Response(connection.readable).text();
}

for (const [name, open] of Object.entries(services)) {
  // The `node:http` of the oldest has no trailers.
  const trailers = `${name}: trailers that a handler names arrive behind the cache and the session`;
  Deno.test(trailers, { ignore: OLDEST }, async () => {
    await using redis = await connect({ url: "memory:" });
    await using service = await open(redis);
    for (let round = 0; round < 2; round++) {
      const answer = await ask(service.port, "GET", "/whole");
      assertMatch(answer, /a body\r\n0\r\nx-sum: ?7\r\n\r\n$/i);
      assertMatch(answer, /x-cache: BYPASS/i);
    }
  });

  Deno.test(`${name}: HEAD /health tells the length that GET has`, async () => {
    await using redis = await connect({ url: "memory:" });
    await using service = await open(redis);
    const [top, body] = (await ask(service.port, "HEAD", "/health")).split("\r\n\r\n");
    const whole = await (await fetch(`http://127.0.0.1:${service.port}/health`)).text();
    const length = Number(/^content-length: (\d+)\r?$/im.exec(top!)?.[1]);
    assertEquals([/^HTTP\/1.1 200 /.test(top!), body], [true, ""]);
    // The numbers of details may have another digit by then.
    assertEquals(Math.abs(length - whole.length) < 10 && length > 100, true, top);
  });
}
