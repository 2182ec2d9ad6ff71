import { cacheResponse, health, metrics, rateLimit, session, sessionOf } from "@larder/larder/oak";
import { Application, Router } from "@oakserver/oak";
import { listen } from "./listen.mjs";

function application(redis, page) {
  const app = new Application();
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
  return app;
}

/** Oak behind a server of its own, as on Node.js. */
export async function handled(redis, page) {
  const app = application(redis, page);
  return await listen(async (request, { remoteAddr, incoming }) => {
    const { remoteAddress: hostname, remotePort: port } = incoming?.socket ?? {};
    const made = await app.handle(request, remoteAddr ?? { transport: "tcp", hostname, port });
    // On npm it is made of another class, which only Node.js knows.
    return globalThis.Deno ? new Response(made.body, { status: made.status, headers: [...made.headers] }) : made;
  });
}

/** Oak by the server that its package has for Node.js. */
export async function listening(redis, page) {
  const app = application(redis, page);
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  app.listen({ hostname: "127.0.0.1", port });
  const url = `http://127.0.0.1:${port}`;
  while (!await fetch(`${url}/health`).then((response) => response.text(), () => "")) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { url, close: () => {} }; // it ends with its process
}
