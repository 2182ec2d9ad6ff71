import { cacheResponse, healthHandler, metricsHandler } from "@larder/larder/http";

/** What is in front of a framework that has `fetch(request)`. */
export function around(redis, fetch, sessions) {
  const health = healthHandler(redis);
  const metrics = metricsHandler(redis);
  const gate = redis.rateLimit.gate({ "POST /login": "AUTH", "*": "DEFAULT" });
  const cached = cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" });
  return async (request, info) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return await health(request, info);
    if (pathname === "/metrics") return await metrics(request);
    const { response, apply } = await gate.decide(request, info);
    if (response) return response;
    const session = redis.sessions.forRequest(request, info);
    sessions.set(request, session);
    const made = await (pathname.startsWith("/pages/") ? cached(request, fetch, info) : fetch(request));
    await session.settle();
    return apply(session.apply(made));
  };
}
