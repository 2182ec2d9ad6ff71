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
