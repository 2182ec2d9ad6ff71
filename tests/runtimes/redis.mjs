// deno-lint-ignore-file no-console -- what it prints is looked at
// Larder on the runtime that runs this, by a URL or over a client of npm: node redis.mjs url|ioredis|node-redis URL. Fails by an exception.
import { connect } from "@larder/larder";
import { fromIoredis, fromNodeRedis } from "@larder/larder/redis";
import assert from "node:assert/strict";

const [, , kind, url] = process.argv;
const namespace = `${kind}-${process.versions.bun ? "bun" : "node"}`;
const close = [];

async function open(options) {
  if (kind === "url") return await connect({ url, namespace, commandTimeout: "20s", ...options });
  if (kind === "ioredis") {
    const { Redis } = await import("ioredis");
    const client = new Redis(url, { maxRetriesPerRequest: 0 });
    close.push(() => client.disconnect());
    return await connect({ client: fromIoredis(client), namespace, commandTimeout: "20s", ...options });
  }
  const { createClient } = await import("redis");
  const client = createClient({ url, pingInterval: 500 });
  client.on("error", () => {});
  await client.connect();
  close.push(() => client.destroy());
  return await connect({ client: fromNodeRedis(client), namespace, commandTimeout: "20s", ...options });
}

const one = await open({ cache: { local: true } });
const two = await open({ cache: { local: true } });
await one.ready({ timeout: "20s" });
assert.equal(one.store, "redis");

const value = { date: new Date(0), map: new Map([["a", 1n]]), bytes: new Uint8Array([0, 255, 128]), text: "é€" };
assert.equal(await one.cache.set("rich", value, { ttl: "5m", tags: ["t"] }), true);
assert.deepEqual(await two.cache.get("rich"), value);
assert.deepEqual(await two.cache.get("rich"), value);
let loads = 0;
const load = () => Promise.resolve(++loads);
const all = await Promise.all(
  [one, two].flatMap(({ cache }) => Array.from({ length: 50 }, () => cache.getOrSet("a", load, { ttl: "5m" }))),
);
assert.deepEqual([loads, new Set(all).size], [1, 1]);
assert.equal((await one.cache.invalidateByTag("t")).status, "done");
// A copy in another process is at most a second behind.
const deadline = Date.now() + 20_000;
while (await two.cache.get("rich") !== undefined) {
  assert.ok(Date.now() < deadline, "the other process hears of it");
  await new Promise((resolve) => setTimeout(resolve, 20));
}

// A message of a stream is handled by another process, and one of a channel arrives there.
const handled = [];
const jobs = two.streams.stream("jobs").consume("workers", { retryDelay: "1ms" }, ({ value, attempt }) => {
  if (attempt === 1) throw new Error("again");
  handled.push(value.n);
});
for (const n of [1, 2, 3]) await one.streams.stream("jobs").add({ n }, { key: "k", id: `job:${n}` });
while (handled.length < 3) {
  assert.ok(Date.now() < deadline + 20_000, `all are handled: ${handled}`);
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await jobs.shutdown();
assert.deepEqual([handled, await one.streams.stream("jobs").pending("workers")], [[1, 2, 3], []]);
const news = two.pubsub.channel("news").subscribe();
await news.ready;
assert.equal(await one.pubsub.channel("news").publish(value), 1);
assert.deepEqual((await news.next()).value, { value });
await news.return();

const { id } = await one.sessions.create("ada", { visits: 0 });
await Promise.all([one, two].map(({ sessions }) => sessions.update(id, ({ visits }) => ({ visits: visits + 1 }))));
assert.equal((await two.sessions.get(id)).data.visits, 2);
assert.equal(await one.sessions.destroyAll("ada"), 1);
assert.equal(await two.sessions.get(id), undefined);

const checks = await Promise.all(
  [one, two].flatMap(({ rateLimit }) => Array.from({ length: 25 }, () => rateLimit.check("AUTH", "192.0.2.1"))),
);
// Whoever does not answer in time on a busy machine refuses.
const allowed = checks.filter((check) => check.allowed).length;
assert.ok(allowed === 5 || (allowed < 5 && checks.some(({ degraded }) => degraded)), `${allowed}`);

assert.equal(await one.client.sendCommand("PING"), "PONG");
// Beside others on a busy machine something may have come too late a moment ago.
const healthy = Date.now() + 20_000;
for (let health = await one.health(); health.status !== "ok"; health = await one.health()) {
  assert.ok(Date.now() < healthy, JSON.stringify(health));
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await one.close();
await two.close();
for (const end of close) await end();
console.log("done");
