import { cacheResponse, healthHandler, metricsHandler } from "@larder/larder/http";

export function open(redis, page) {
  const health = healthHandler(redis);
  const metrics = metricsHandler(redis);
  const cached = cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" });
  const site = redis.sessions.withSession(async (request, session) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/login") return new Response((await session.regenerate({ userId: "ada" })).userId);
    if (pathname === "/me") return new Response((await session.get())?.userId ?? "nobody");
    return new Response("not found", { status: 404 });
  });
  const guarded = redis.rateLimit.guard({ "POST /login": "AUTH", "*": "DEFAULT" }, async (request, info) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/pages/")) return await cached(request, async () => new Response(await page()), info);
    return await site(request, info);
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request, info) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return health(request, info);
    if (pathname === "/metrics") return metrics(request);
    return guarded(request, info);
  });
  // The test:
  return { url: `http://127.0.0.1:${server.addr.port}`, close: () => server.shutdown() };
}
