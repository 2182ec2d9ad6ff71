import { assertEquals, assertStringIncludes } from "@std/assert";
import express from "express";
import fastify from "fastify";
import { connect as connect2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { connect } from "../../mod.ts";
import { cacheResponse, type ExpressMiddleware, rateLimit, session, sessionOf } from "../../src/http/express.ts";
import * as forFastify from "../../src/http/fastify.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { rawRequest, sendRaw } from "../support/raw_http.ts";
import { OLDEST } from "../support/oldest.ts";

// deno-lint-ignore no-explicit-any -- the packages' own types are none of those that Larder is written against
type Any = any;

async function serve(add: (app: Any) => void) {
  const app = express() as Any;
  add(app);
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => closeNodeServer(server) };
}

Deno.test("rateLimit() of Express counts by the path that middleware in front has put in place of the sent one", async (t) => {
  await using redis = await connect({ url: "memory:" });
  const version: ExpressMiddleware = (request, _response, next) => {
    const changed = request as { url: string };
    changed.url = changed.url.replace(/^((?:https?:\/\/[^/]*)?)\/v1\//, "$1/");
    return Promise.resolve(next());
  };
  let logins = 0;
  const admin = express() as Any;
  admin.use(version);
  admin.use(rateLimit(redis, { "POST /admin/login": "AUTH", "/admin": [], "*": "DEFAULT" }));
  admin.post("/login", (_: unknown, response: Any) => void response.send(`in ${++logins}`));
  admin.get("/", (_: unknown, response: Any) => void response.send("index"));
  await using server = await serve((app) => {
    app.use(version);
    app.use(rateLimit(redis, { "POST /login": "AUTH" }));
    app.use("/admin", admin);
    app.post("/login", (_: unknown, response: Any) => void response.send(`in ${++logins}`));
  });
  for (
    const target of ["/v1/login", "/v1/LOGIN?x", "http://localhost/v1/login", "/admin/v1/login", "/v1/admin/login"]
  ) {
    await t.step(target, async () => {
      await redis.rateLimit.reset("AUTH", "127.0.0.1");
      const before = logins;
      const statuses: number[] = [];
      for (let i = 0; i < 6; i++) statuses.push((await sendRaw(server.port, rawRequest("POST", target))).status);
      assertEquals([statuses.at(-2), statuses.at(-1), logins - before], [200, 429, 5]);
    });
  }
  await t.step("what exempts the path at which an app is mounted goes on to do so", async () => {
    for (const target of ["/admin", "/admin?x"]) {
      const { status, headers } = await sendRaw(server.port, rawRequest("GET", target));
      assertEquals([status, headers.get("ratelimit")], [200, null]);
    }
  });
});

Deno.test("cacheResponse() of Express goes by what middleware between limits and itself has made of the request", async () => {
  await using redis = await connect({ url: "memory:" });
  const between: ExpressMiddleware = (request, _response, next) => {
    const changed = request as Any;
    const { "x-token": token } = changed.headers;
    if (changed.query._method) changed.method = changed.query._method;
    if (token) changed.headers.authorization = `Bearer ${token}`;
    return Promise.resolve(next());
  };
  let deleted = 0;
  await using server = await serve((app) => {
    app.use(rateLimit(redis, { "*": "DEFAULT" }), session(redis), between, cacheResponse(redis, { ttl: "1h" }));
    app.post("/login", async (request: Any, response: Any) => {
      await sessionOf(request).create("ada", {});
      response.send("welcome");
    });
    app.delete("/bread", (_: unknown, response: Any) => void response.send(`deleted ${++deleted}`));
    app.get("/me", (request: Any, response: Any) => void response.send(request.headers.authorization ?? "nobody"));
    app.get("/visitor", async (request: Any, response: Any) => {
      response.send((await sessionOf(request).get())?.userId ?? "nobody");
    });
  });
  const get = (target: string, headers: string[] = []) => sendRaw(server.port, rawRequest("GET", target, "h", headers));
  assertEquals((await get("/bread?_method=DELETE")).body, "deleted 1");
  assertEquals((await get("/bread?_method=DELETE")).body, "deleted 2");
  assertEquals((await get("/me", ["X-Token: ada"])).body, "Bearer ada");
  assertEquals((await get("/me")).body, "nobody");
  assertEquals((await get("/me", ["X-Token: bob"])).body, "Bearer bob");
  const login = await sendRaw(server.port, rawRequest("POST", "/login"));
  const cookie = login.headers.get("set-cookie")!.split(";")[0]!;
  assertEquals((await get("/visitor", [`Cookie: ${cookie}`, "X-Token: ada"])).body, "ada");
  assertEquals((await get("/visitor")).body, "nobody");
});

Deno.test("Fastify over HTTP/2: each host has its own pages", { ignore: OLDEST }, async () => {
  await using redis = await connect({ url: "memory:" });
  const app = fastify({ http2: true } as Any) as Any;
  app.addHook("onRequest", forFastify.cacheResponse(redis, { ttl: "1h" }));
  app.get("/page", (request: Any) => `page of ${request.hostname}`);
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const client = connect2(url);
  const get = (host: string) =>
    new Promise<string>((resolve, reject) => {
      const stream = client.request({ ":path": "/page", ":authority": host });
      let text = "";
      stream.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
      stream.on("end", () => resolve(text)).on("error", reject);
      stream.end();
    });
  try {
    for (const host of ["a.example", "b.example", "a.example"]) {
      assertStringIncludes(await get(host), `page of ${host}`);
    }
  } finally {
    await new Promise<void>((resolve) => client.close(resolve));
    await app.close();
  }
});
