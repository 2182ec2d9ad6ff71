import { assertEquals } from "@std/assert";
import { Application, type Context, Router } from "@oakserver/oak";
import { connect } from "../../mod.ts";
import * as oak from "../../src/http/oak.ts";
import { serve } from "../sessions/served.ts";
import { visit } from "./shop.ts";

type Next = () => Promise<unknown>;

/** What visitors see of the same app with the cache and without it. */
async function withAndWithout(
  front: (context: Context, next: Next) => Promise<void>,
  look: (response: Awaited<ReturnType<typeof visit>>) => unknown,
): Promise<void> {
  await using redis = await connect({ url: "memory:" });
  const seen: unknown[] = [];
  for (const cached of [false, true]) {
    const app = new Application({ logErrors: false });
    const failed: unknown[] = [];
    app.addEventListener("error", ({ error }) => void failed.push(error));
    app.use(front);
    if (cached) app.use(oak.cacheResponse(redis, { ttl: "1m" }) as never);
    const router = new Router();
    router.get("/text", ({ response }) => void (response.body = "text"));
    router.get("/data", ({ response }) => void (response.body = { some: "data" }));
    router.get("/stream", ({ response }) => void (response.body = new Response("stream").body!));
    app.use(router.routes());
    await using served = serve(async (request) => {
      const { body, status, headers } = await app.handle(request as never) as unknown as Response;
      return new Response(body, { status, headers: [...headers] });
    });
    const all: unknown[] = [];
    for (const path of ["/text", "/data", "/stream", "/none"]) {
      for (const headers of [{}, {}, { cookie: "a=b" }]) {
        all.push(path, look(await visit(`${served.url}${path}`, { headers: headers as Record<string, string> })));
      }
    }
    assertEquals((await visit(`${served.url}/none`, { method: "POST" })).status, 404);
    seen.push([all, failed]);
  }
  assertEquals(seen[1], seen[0]);
}

Deno.test("Oak: middleware in front changes the body of what is kept, once", async () => {
  await withAndWithout(async ({ response }, next) => {
    await next();
    if (response.status === 404) {
      response.status = 404;
      response.body = "a page of one's own";
    } else {
      const { body } = response;
      const text = typeof body === "string" ? body : await new Response(
        body instanceof ReadableStream ? body : JSON.stringify(body),
      ).text();
      response.body = `<${text}>`;
    }
  }, ({ status, body }) => [status, body]);
});

Deno.test("Oak: headers that middleware in front sets, before and after, are sent to its own caller", async () => {
  let caller = 0;
  await withAndWithout(async ({ response, cookies }, next) => {
    response.headers.set("x-frame-options", "DENY");
    await cookies.set("before", "1");
    response.headers.set("x-caller", String(++caller > 0));
    await next();
    response.headers.set("x-response-time", "1ms");
  }, ({ status, body, headers }) => [
    ...[status, body, headers.getSetCookie()],
    ...["x-frame-options", "x-caller", "x-response-time"].map((name) => headers.get(name)),
  ]);
});
