import { assertEquals } from "@std/assert";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { validator } from "hono/validator";
import { connect, type Larder } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import { serve } from "../sessions/served.ts";
import { visit } from "./shop.ts";

/** The same app with the cache and without it. */
async function withAndWithout(
  build: (app: Hono, cached: (options?: hono.CacheResponseOptions) => never) => void,
  paths: readonly string[],
  look: (response: Awaited<ReturnType<typeof visit>>) => unknown,
): Promise<void> {
  await using redis: Larder = await connect({ url: "memory:" });
  const seen: unknown[] = [];
  for (const cached of [false, true]) {
    const app = new Hono();
    const pass: hono.HonoMiddleware = (_context, next) => next();
    build(app, (options) => (cached ? hono.cacheResponse(redis, options) : pass) as never);
    await using served = serve((request, info) => app.fetch(request, info));
    const all: unknown[] = [];
    for (const path of paths) all.push(look(await visit(`${served.url}${path}`)));
    seen.push(all);
  }
  assertEquals(seen[1], seen[0]);
}

Deno.test("Hono: middleware behind the cache goes on when a handler throws, and finds the error", async () => {
  const seen: string[] = [];
  await withAndWithout(
    (app, cached) => {
      app.use(cached());
      app.use(async (c, next) => {
        seen.push("begin");
        await next();
        seen.push(c.error ? `back ${c.res.status}` : "done");
        if (c.req.path === "/mended") c.res = new Response("mended", { status: 200 });
      });
      app.get("/broken", () => Promise.reject(new Error("broken")));
      app.get("/mended", () => Promise.reject(new Error("broken")));
      app.get("/refused", () => {
        throw new HTTPException(403, { message: "refused" });
      });
      app.get("/fine", (c) => c.text("fine"));
      app.onError((error, c) => {
        if (error instanceof HTTPException) return error.getResponse();
        return c.text(`sorry: ${error.message}`, 500);
      });
    },
    ["/broken", "/refused", "/mended", "/fine", "/nowhere"],
    ({ status, body }) => [status, body, seen.splice(0)],
  );
});

Deno.test("Hono: what validators in front have checked is there, and makes a response personal where it is of the visitor", async () => {
  await withAndWithout(
    (app, cached) => {
      const number = validator("query", ({ id }) => ({ id: Number(id) }));
      app.get("/query/:name", number, validator("param", (value) => value), cached(), (c) => {
        return c.text(`${c.req.valid("query").id} ${(c.req.valid("param") as { name: string }).name}`);
      });
      app.get("/header", validator("header", (value) => value), cached(), (c) => {
        return c.text(String(Object.hasOwn(c.req.valid("header"), "host")));
      });
    },
    ["/query/a?id=4", "/query/a?id=4", "/query/b?id=5", "/header", "/header"],
    ({ status, body }) => [status, body],
  );
});

Deno.test("Hono: headers that middleware in front sets before are sent with what is kept, to its own caller", async () => {
  let caller = 0;
  await withAndWithout(
    (app, cached) => {
      app.use(async (c, next) => {
        c.header("x-frame-options", "DENY");
        c.header("set-cookie", `caller=${++caller % 3}`, { append: true });
        await next();
      });
      app.use(cached());
      app.get("*", (c) => c.text("page"));
    },
    ["/", "/", "/"],
    ({ headers }) => [headers.get("x-frame-options"), headers.getSetCookie()],
  );
});
