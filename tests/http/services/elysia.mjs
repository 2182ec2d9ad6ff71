import { Elysia } from "elysia";
import { around } from "./around.mjs";
import { listen } from "./listen.mjs";

export async function open(redis, page) {
  const sessions = new WeakMap();
  const app = new Elysia({ aot: false });
  app.post("/login", async ({ request }) => (await sessions.get(request).regenerate({ userId: "ada" })).userId);
  app.get("/me", async ({ request }) => (await sessions.get(request).get())?.userId ?? "nobody");
  app.get("/pages/:name", () => page());
  const fetch = around(redis, (request) => app.fetch(request), sessions);
  // The test:
  return await listen(fetch);
}
