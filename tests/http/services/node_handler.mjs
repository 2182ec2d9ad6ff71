import { cacheResponse, health, metrics, rateLimit, session, sessionOf } from "@larder/larder/express";
import express from "express";
import { listenNode } from "./listen.mjs";

/** SvelteKit by `adapter-node`, Astro by `@astrojs/node` in the mode "middleware": `handler(request, response, next)`. */
export async function built(redis, page) {
  const app = express();
  app.get("/health", health(redis));
  app.get("/metrics", metrics(redis));
  app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
  app.use(session(redis));
  app.use("/pages", cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" }));
  app.use(handlerOf(page)); // SvelteKit: event.platform.req; Astro: handler(request, response, next, { session })
  // The test:
  return await listenNode(app);
}

/** The handler that both build: it answers by `node:http`, and does not know of Express. */
function handlerOf(page) {
  return async (request, response) => {
    const { pathname } = new URL(request.originalUrl, "http://localhost");
    const session = sessionOf(request);
    response.setHeader("content-type", "text/plain");
    if (pathname === "/login") response.write((await session.regenerate({ userId: "ada" })).userId);
    else if (pathname === "/me") response.write((await session.get())?.userId ?? "nobody");
    else response.write(await page());
    response.end();
  };
}
