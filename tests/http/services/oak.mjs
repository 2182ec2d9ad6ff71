import { cacheResponse, health, metrics, rateLimit, session, sessionOf } from "@larder/larder/oak";
import { Router } from "@oakserver/oak";
import { application, listen } from "../oak_server.ts";

export async function open(redis, page) {
  const app = application();
  const router = new Router();
  router.get("/health", health(redis));
  router.get("/metrics", metrics(redis));
  router.post("/login", async (ctx) => {
    ctx.response.body = (await sessionOf(ctx).regenerate({ userId: "ada" })).userId;
  });
  router.get("/me", async (ctx) => {
    ctx.response.body = (await sessionOf(ctx).get())?.userId ?? "nobody";
  });
  const cached = cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" });
  router.get("/pages/:name", cached, async (ctx) => {
    ctx.response.body = await page();
  });
  app.use(rateLimit(redis, { "POST /login": "AUTH", "/health": [], "/metrics": [], "*": "DEFAULT" }));
  app.use(session(redis));
  app.use(router.routes());
  // The test:
  const { url, [Symbol.asyncDispose]: close } = await listen(app);
  return { url, close };
}
