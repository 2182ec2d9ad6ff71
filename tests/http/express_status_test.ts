import { assertEquals } from "@std/assert";
import express from "express";
import { get, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "../../mod.ts";
import { cacheResponse, session } from "../../src/http/express.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { OLDEST } from "../support/oldest.ts";

/** `fetch` takes no such status. */
function ask(url: string): Promise<[status: number | undefined, body: string]> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part) => body += part);
      response.on("end", () => resolve([response.statusCode, body]));
    }).on("error", reject);
  });
}

const name = "Express: a status that no Response has goes out, whatever is in front of it";
// The server of the oldest has no such status itself.
Deno.test(name, { ignore: OLDEST }, async () => {
  await using redis = await connect({ url: "memory:" });
  // deno-lint-ignore no-explicit-any -- the package has no types
  const app = express() as any;
  app.use("/session", session(redis));
  app.use("/cache", cacheResponse(redis, { ttl: "1h" }));
  app.use("/both", session(redis), cacheResponse(redis, { ttl: "1h" }));
  let calls = 0;
  app.get("/{*path}", (request: { query: { code: string } }, response: ServerResponse) => {
    response.statusCode = Number(request.query.code);
    response.end(`answer ${++calls}`);
  });
  app.use((_error: Error, _request: unknown, response: ServerResponse, _next: unknown) => {
    response.statusCode = 500;
    response.end("refused");
  });
  const server = app.listen(0, "127.0.0.1");
  try {
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const path of ["/none", "/session", "/cache", "/both"]) {
      for (const code of [600, 999, 999]) {
        const [status, body] = await ask(`${url}${path}?code=${code}`);
        assertEquals([status, body], [code, `answer ${calls}`], path);
      }
      assertEquals(await ask(`${url}${path}?code=1000`), [500, "refused"], path);
    }
  } finally {
    await closeNodeServer(server);
  }
});
