import { cacheResponse, larder, sessionOf } from "@larder/larder/fastify";
import Fastify from "fastify";

export async function open(redis, page) {
  const app = Fastify({ forceCloseConnections: true });
  await app.register(larder, {
    redis,
    rules: { "POST /login": "AUTH", "*": "DEFAULT" },
    sessions: true,
    health: "/health",
    metrics: "/metrics",
  });
  app.post("/login", async (request) => (await sessionOf(request).regenerate({ userId: "ada" })).userId);
  app.get("/me", async (request) => (await sessionOf(request).get())?.userId ?? "nobody");
  app.register((pages, _options, done) => {
    pages.addHook("onRequest", cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" }));
    pages.get("/pages/:name", async () => await page());
    done();
  });
  // The test:
  return { url: await app.listen({ port: 0, host: "127.0.0.1" }), close: () => app.close() };
}
