/**
 * A process that reads through the cache within a span of its own.
 *
 * @module
 */
import { trace } from "@opentelemetry/api";
import { connect } from "../../mod.ts";

await using redis = await connect({ url: Deno.args[0]!, namespace: "traced" });
await redis.cache.set("-", 1); // the server knows the scripts from now on
await redis.cache.get("-");
await trace.getTracer("app").startActiveSpan("request", async (span) => {
  await redis.cache.getOrSet("secret-key", async () => {
    await trace.getTracer("app").startActiveSpan("database", (inner) => Promise.resolve(inner.end()));
    return 1;
  });
  span.end();
});
await redis.cache.getOrSet("b", () => Promise.reject(new Error("secret-message"))).catch(() => {});

await trace.getTracer("app").startActiveSpan("locks", async (span) => {
  await redis.locks.withLock("secret-lock", async () => {
    await trace.getTracer("app").startActiveSpan("work", (inner) => Promise.resolve(inner.end()));
  });
  span.end();
});

const keep = new TextEncoder().encode("secret-kept");
await redis.locks.idempotent("secret-payment", { ttl: "1h" }, () => ({ value: 1, keep }));
await redis.locks.once("secret-job", { every: "1h" }, () => {});

const orders = redis.pubsub.channel<number>("secret-channel");
await using messages = orders.subscribe();
await messages.ready;
await trace.getTracer("app").startActiveSpan("order", async (span) => {
  await orders.publish(7);
  span.end();
});
const { value } = await messages.next();
if (!value?.headers?.traceparent.includes("-")) throw new Error(`It should carry its span: ${JSON.stringify(value)}`);

const jobs = redis.streams.stream<number>("secret-stream");
const handled = Promise.withResolvers<void>();
const worker = jobs.consume("secret-group", {}, async () => {
  await trace.getTracer("app").startActiveSpan("handling", (inner) => Promise.resolve(inner.end()));
  handled.resolve();
});
await trace.getTracer("app").startActiveSpan("job", async (span) => {
  await jobs.add(7, { key: "secret-key" });
  span.end();
});
await handled.promise;
await worker.shutdown();

await using near = await connect({ url: Deno.args[0]!, namespace: "traced", cache: { local: true } });
const roundTrips = () => near.metrics()[0]!.latencies.reduce((sum, { count }) => sum + count, 0);
const deadline = performance.now() + 5000;
// A copy is kept once the process hears of changes.
for (let asked = -1; asked !== roundTrips() && performance.now() < deadline;) {
  await near.cache.getOrSet("copied", () => 1, { ttl: "1h" });
  asked = roundTrips();
  await near.cache.get("copied");
}
await trace.getTracer("app").startActiveSpan("copies", async (span) => {
  for (let i = 0; i < 100; i++) await near.cache.get("copied");
  span.end();
});
