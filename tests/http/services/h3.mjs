import { H3 } from "h3";
import { around } from "./around.mjs";
import { listen } from "./listen.mjs";

export async function open(redis, page) {
  const sessions = new WeakMap();
  const app = new H3({ silent: true });
  app.post("/login", async ({ req }) => (await sessions.get(req).regenerate({ userId: "ada" })).userId);
  app.get("/me", async ({ req }) => (await sessions.get(req).get())?.userId ?? "nobody");
  app.get("/pages/:name", () => page());
  const fetch = around(redis, (request) => app.fetch(request), sessions);
  // The test:
  return await listen(fetch);
}
