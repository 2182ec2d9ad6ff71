/**
 * Reports that take long, made by a worker of BullMQ and kept in the cache, on http://127.0.0.1:8000/reports/2026-11
 * (or PORT). Needs a Redis as REDIS_URL.
 *
 *     deno run --allow-net=127.0.0.1 --allow-env --allow-read --allow-sys examples/queue/main.ts
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { connect } from "@larder/larder";
import { handler } from "./handler.ts";
import { Reports, startWorker } from "./reports.ts";

await using redis = await connect({ namespace: "larder-queue" });
await using reports = new Reports(redis);
await using _worker = startWorker(redis, async (month) => {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return Number(month.replace("-", ""));
});

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.env.get("PORT") ?? 8000),
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, handler(reports));
Deno.addSignalListener("SIGTERM", () => void server.shutdown());
await server.finished;
