import { cacheResponse, health, metrics, rateLimit, session, sessionOf } from "@larder/larder/express";
import express from "express";
import { listenNode } from "./listen.mjs";

export async function open(redis, page) {
  const app = express();
  app.get("/health", health(redis));
  app.get("/metrics", metrics(redis));
  app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
  app.use(session(redis));
  app.use("/pages", cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" }));
  app.post("/login", async (request, response) => {
    response.send((await sessionOf(request).regenerate({ userId: "ada" })).userId);
  });
  app.get("/me", async (request, response) => {
    response.send((await sessionOf(request).get())?.userId ?? "nobody");
  });
  app.get("/pages/:name", async (_request, response) => response.send(await page()));
  // The test:
  return await listenNode(app);
}
