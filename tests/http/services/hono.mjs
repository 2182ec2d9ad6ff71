import { cacheResponse, health, metrics, rateLimit, session, sessionOf } from "@larder/larder/hono";
import { Hono } from "hono";
import { listen } from "./listen.mjs";

export async function open(redis, page) {
  const app = new Hono();
  app.get("/health", health(redis));
  app.get("/metrics", metrics(redis));
  app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
  app.use(session(redis));
  app.use("/pages/*", cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" }));
  app.post("/login", async (c) => c.text((await sessionOf(c).regenerate({ userId: "ada" })).userId));
  app.get("/me", async (c) => c.text((await sessionOf(c).get())?.userId ?? "nobody"));
  app.get("/pages/:name", async (c) => c.text(await page()));
  // The test:
  return await listen(app.fetch);
}
