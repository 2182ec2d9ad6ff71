/**
 * A page on which everybody sees everybody's orders at once, on http://127.0.0.1:8000 (or PORT): over the Redis of
 * REDIS_URL, so that any number of processes serve it, or embedded without one.
 *
 *     deno run --allow-net=127.0.0.1 --allow-env examples/orders/main.ts
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { connect } from "@larder/larder";
import { Orders } from "./orders.ts";
import { site } from "./site.ts";

const redis = await connect({ namespace: "larder-orders" });
const leaving = new AbortController();

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.env.get("PORT") ?? 8000),
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, site(new Orders(redis), leaving.signal));

Deno.addSignalListener("SIGTERM", () => {
  leaving.abort(); // events and sockets end, and browsers connect again to another process
  void server.shutdown();
});
await server.finished;
await redis.close();
