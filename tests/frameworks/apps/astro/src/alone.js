import { connect } from "@larder/larder";
import { cacheResponse, healthHandler, metricsHandler } from "@larder/larder/http";

const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
const health = healthHandler(redis);
const metrics = metricsHandler(redis);
const gate = redis.rateLimit.gate({ "POST /login": "AUTH", "*": "DEFAULT" });
const cached = cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" });

/** All of Larder in `src/middleware.js`, for the server that the adapter makes. */
export async function onRequest(context, next) {
  const { request, url } = context;
  const info = { remoteAddr: { hostname: context.clientAddress } };
  if (url.pathname === "/health") return await health(request, info);
  if (url.pathname === "/metrics") return await metrics(request);
  const { response, apply } = await gate.decide(request, info);
  if (response) return response;
  const session = context.locals.session = redis.sessions.forRequest(request, info);
  // A page for everybody is made for another request, which has no visitor.
  const rest = (asked) => asked === request ? next() : next(asked);
  const made = await (url.pathname.startsWith("/pages/") ? cached(request, rest, info) : next());
  await session.settle();
  return apply(session.apply(made));
}
