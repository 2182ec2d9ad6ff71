import { connect } from "@larder/larder";
import { cacheResponse, healthHandler, metricsHandler } from "@larder/larder/http";

const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
const health = healthHandler(redis);
const metrics = metricsHandler(redis);
const gate = redis.rateLimit.gate({ "POST /login": "AUTH", "*": "DEFAULT" });
const cached = cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" });

/** All of Larder in `src/hooks.server.js`, for the server that the adapter makes. */
export async function handle({ event, resolve }) {
  const { request, url } = event;
  const session = event.locals.session = redis.sessions.forRequest(request);
  if (event.isSubRequest) return await resolve(event);
  const info = { remoteAddr: { hostname: event.getClientAddress() } };
  if (url.pathname === "/health") return await health(request, info);
  if (url.pathname === "/metrics") return await metrics(request);
  const { response, apply } = await gate.decide(request, info);
  if (response) return response;
  // A page for everybody is asked for once more, without its visitor.
  const next = (asked) => asked === request ? resolve(event) : event.fetch(asked, { credentials: "omit" });
  const made = await (url.pathname.startsWith("/pages/") ? cached(request, next, info) : resolve(event));
  await session.settle();
  return apply(session.apply(made));
}
