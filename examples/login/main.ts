/**
 * A small site with a login, on http://127.0.0.1:8000 (or PORT): sessions in the Redis of REDIS_URL, or embedded
 * without one.
 *
 *     deno run --allow-net=127.0.0.1 --allow-env examples/login/main.ts
 *
 * Log in as `ada` with the password `lovelace`, in several browsers.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { connect } from "@larder/larder";
import { type Login, site } from "./site.ts";
import { Users } from "./users.ts";

await using redis = await connect<{ session: Login }>({
  namespace: "larder-login",
  // Without insecure, browsers keep the cookie for HTTPS only, as it should be anywhere but on localhost.
  sessions: { ttl: "30m", absoluteTtl: "12h", maxPerUser: 10, cookie: { insecure: true } },
});
const users = new Users();
await users.add("ada", "lovelace");
await users.add("grace", "hopper");

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.env.get("PORT") ?? 8000),
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, site(redis.sessions, users));
Deno.addSignalListener("SIGTERM", () => void server.shutdown());
await server.finished;
