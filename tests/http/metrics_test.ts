import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import parse from "parse-prometheus-text-format";
import { connect, type Larder } from "../../mod.ts";
import { healthHandler, metricsHandler } from "../../src/http/mod.ts";
import { writeMetrics } from "../../src/http/open_metrics.ts";
import { testWith } from "../support/program.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const OPEN_METRICS = "application/openmetrics-text; version=1.0.0";

interface Family {
  name: string;
  type: string;
  metrics: { labels?: Record<string, string>; value?: string; buckets?: Record<string, string>; count?: string }[];
}

async function ask(redis: Larder, headers: Record<string, string> = {}, token?: string): Promise<Response> {
  return await metricsHandler(redis, { token })(new Request("http://localhost/metrics", { headers }));
}

async function families(redis: Larder): Promise<Map<string, Family>> {
  const parsed = parse(await (await ask(redis)).text()) as Family[];
  return new Map(parsed.map((family) => [family.name, family]));
}

/** Uses the cache in every way that is counted. */
async function work({ cache }: Larder): Promise<void> {
  await cache.set("a", 1, { ttl: 60 });
  await cache.get("a");
  await cache.get("a");
  await cache.get("nothing");
  await cache.getOrSet("b", () => 2);
  await cache.getOrSet("c", () => Promise.reject(new Error("no"))).catch(() => {});
  await cache.invalidateByTag("t");
}

/** Uses locks and channels in every way that is counted. */
async function coordinate(
  { locks, pubsub }: Larder,
  look: () => Promise<void>,
): Promise<void> {
  const lock = await locks.acquire("report");
  await locks.tryAcquire("report");
  await assertRejects(() => locks.acquire("report", { wait: "20ms" }), Error);
  for (let i = 0; i < 2; i++) {
    await locks.idempotent("pay", { ttl: "1h" }, () => ({ value: 1, keep: new Uint8Array([1]) }));
    await locks.once("clean", { every: "1h" }, () => {});
  }
  const orders = pubsub.channel<number>("orders");
  const messages = orders.subscribe({ buffer: 2, onFull: "drop-oldest" });
  const subscription = messages[Symbol.asyncIterator]();
  const first = subscription.next();
  await messages.ready;
  await orders.publish(1);
  await first;
  for (const order of [2, 3, 4]) await orders.publish(order);
  await until(() => pubsub.stats().received === 4, "messages");
  await look();
  await subscription.return?.();
  await lock.release();
}

Deno.test("metricsHandler() counts what the cache does", async () => {
  await using redis = await connect({ url: "memory:" });
  await work(redis);
  const found = await families(redis);
  const reads = found.get("larder_cache_reads_total")!;
  assertEquals(reads.type, "COUNTER");
  assertEquals(reads.metrics.map(({ labels, value }) => [labels!.result, value]), [
    ["hit", "2"],
    ["stale", "0"],
    ["miss", "3"],
  ]);
  assertEquals(found.get("larder_cache_loads_total")!.metrics.map(({ value }) => value), ["1", "1"]);
  assertEquals(found.get("larder_cache_invalidations_total")!.metrics[0]!.value, "1");
  assertEquals(found.get("larder_cache_loading")!.type, "GAUGE");
});

Deno.test("metricsHandler() and Larder.health() count sessions and limits", async () => {
  await using redis = await connect<{ session: { theme: string } }>({ url: "memory:" });
  const { id } = await redis.sessions.create("ada", { theme: "dark" });
  await redis.sessions.create("ada", { theme: "dark" });
  await redis.sessions.destroy(id);
  await redis.sessions.destroyAll("ada");
  for (let i = 0; i < 7; i++) await redis.rateLimit.check("AUTH", "127.0.0.1");
  await redis.rateLimit.checkAll([["API", "ada"], ["AUTH", "127.0.0.1"]]);
  await redis.rateLimit.checkAll([["API", "ada"], ["AUTH", "127.0.0.2"]]);
  const { sessions, rateLimit } = await redis.health();
  assertEquals([sessions.created, sessions.destroyed, sessions.revoked], [2, 1, 1]);
  assertEquals(rateLimit, {
    ...{ allowed: 6, refused: 3, remembered: 0, degraded: 0 },
    presets: {
      AUTH: { allowed: 6, refused: 3, remembered: 0, degraded: 0 },
      API: { allowed: 1, refused: 0, remembered: 0, degraded: 0 },
    },
  });
  const text = await (await metricsHandler(redis)(new Request("http://localhost/metrics"))).text();
  assert(text.includes('larder_sessions_total{change="created"} 2'), text);
  assert(text.includes('larder_rate_limit_checks_total{preset="AUTH",decision="refused"} 3'), text);
});

Deno.test("metricsHandler() counts locks, what is done once, and channels", async () => {
  await using redis = await connect({ url: "memory:" });
  await coordinate(redis, async () => {
    const found = await families(redis);
    const values = (name: string) =>
      (found.get(name)?.metrics ?? []).map(({ labels, value }) => `${labels?.result ?? ""}${value}`);
    assertEquals(values("larder_lock_acquired_total"), ["5"]); // and for each call of the others
    assertEquals(values("larder_lock_busy_total"), ["1"]);
    assertEquals(values("larder_lock_waited_total"), ["1"]);
    assertEquals(values("larder_lock_timeouts_total"), ["1"]);
    assert(Number(values("larder_lock_wait_seconds_total")[0]) > 0);
    assertEquals([values("larder_lock_held"), values("larder_lock_waiting")], [["1"], ["0"]]);
    assertEquals(values("larder_idempotent_calls_total"), ["ran1", "kept1", "running0", "failed0"]);
    assertEquals(values("larder_once_calls_total"), ["ran1", "skipped1", "failed0"]);
    assertEquals(values("larder_channel_published_total"), ["4"]);
    assertEquals(values("larder_channel_received_total"), ["4"]);
    assertEquals(values("larder_channel_dropped_total"), ["1"]);
    assertEquals(values("larder_channel_gaps_total"), ["0"]);
    assertEquals([values("larder_channel_subscriptions"), values("larder_channel_waiting")], [["1"], ["2"]]);
    assertEquals(found.get("larder_lock_held")!.type, "GAUGE");
  });
});

Deno.test({
  name: "metricsHandler() tells how long round trips took, and what failed",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start();
    await using redis = await connect({ url: server.url, commandTimeout: "200ms" });
    await work(redis);
    await redis.client.sendCommand("NOSUCH").catch(() => {});
    await redis.client.sendCommand("SET", ["x", "1"]);
    assertEquals((await families(redis)).get("larder_redis_round_trip_seconds")!.type, "HISTOGRAM");
    const text = await (await ask(redis)).text();
    // The parser leaves out the labels of histograms.
    const samples = (suffix: string, operation: string) => {
      const name = `larder_redis_round_trip_seconds_${suffix}{server="all",operation="${operation}"`;
      return text.split("\n").filter((line) => line.startsWith(name)).map((line) => Number(line.split(" ").at(-1)));
    };
    const buckets = samples("bucket", "read cache entries");
    assertEquals(buckets.length, 13);
    assertEquals(buckets, buckets.toSorted((a, b) => a - b));
    assertEquals(samples("count", "read cache entries"), [buckets.at(-1)!]);
    assert(buckets.at(-1)! >= 3);
    assert(samples("sum", "read cache entries")[0]! > 0);
    // Names of raw commands are not labels.
    assertEquals(samples("count", "command"), [1]);
    await server.kill();
    await redis.cache.get("a");
    const failures = (await families(redis)).get("larder_redis_failures_total")!.metrics;
    assert(failures.some(({ labels }) => labels!.reason === "ERR"));
    assert(failures.some(({ labels }) => labels!.reason !== "ERR"));
  },
});

Deno.test("metricsHandler() answers in the form that was asked for, to who has the token", async () => {
  await using redis = await connect({ url: "memory:" });
  const plain = await ask(redis);
  assertEquals(plain.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const open = await ask(redis, { accept: OPEN_METRICS });
  assertEquals(open.headers.get("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  assert((await open.text()).endsWith("\n# EOF\n"));
  assertEquals((await ask(redis, {}, "s3cret")).status, 401);
  assertEquals((await ask(redis, { authorization: "Bearer s3cre7" }, "s3cret")).status, 401);
  assertEquals((await ask(redis, { authorization: "Bearer s3cret" }, "s3cret")).status, 200);
});

Deno.test("A token that no request can send is refused by the handlers for metrics and health", async () => {
  await using redis = await connect({ url: "memory:" });
  const cases: [token: unknown, got: string][] = [
    ["", "an empty string"],
    ["s3cret\n", "one with white space at its end, as files have"],
    ["s3 cret", "one that cannot be sent as it is"],
    ["geheimnisvoll-für-alle", "one that cannot be sent as it is"],
    [5, "5"],
    [null, "null"],
  ];
  for (const [token, got] of cases) {
    for (const make of [metricsHandler, healthHandler]) {
      const error = assertThrows(() => make(redis, { token: token as string }), TypeError, `spaces, got ${got}`);
      assert(!error.message.includes("s3"), error.message);
    }
  }
});

Deno.test("metricsHandler() gives OpenMetrics to who wants it at least as much as plain text", async (t) => {
  await using redis = await connect({ url: "memory:" });
  const cases: [accept: string, open: boolean][] = [
    ["application/openmetrics-text;q=0", false],
    ["application/openmetrics-text;version=1.0.0;q=0, text/plain", false],
    ["application/openmetrics-text; q=0.000", false],
    ["application/openmetrics-text;q=0.3,text/plain;q=0.8", false],
    ["application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", true],
    ["Application/OpenMetrics-Text", true],
    ["text/plain;q=1, application/openmetrics-text;q=1", true],
    ["application/openmetrics-text-not", false],
    ["*/*", false],
  ];
  for (const [accept, open] of cases) {
    await t.step(accept, async () => {
      const type = (await ask(redis, { accept })).headers.get("content-type")!;
      assertEquals(type.startsWith("application/openmetrics-text"), open);
    });
  }
});

Deno.test("writeMetrics() escapes what has a meaning", () => {
  const text = writeMetrics([{
    name: "larder_test",
    type: "gauge",
    help: 'a "b"\n\\',
    samples: [{ labels: { label: 'x"y\n\\' }, value: Infinity }],
  }], "openmetrics");
  assertEquals(
    text,
    '# TYPE larder_test gauge\n# HELP larder_test a \\"b\\"\\n\\\\\nlarder_test{label="x\\"y\\n\\\\"} +Inf\n# EOF\n',
  );
});

Deno.test(
  await testWith("promtool", "metricsHandler() passes the check of promtool", async (promtool) => {
    await using server = await RedisServer.start();
    await using redis = await connect({ url: server.url });
    await work(redis);
    await coordinate(redis, () => Promise.resolve());
    const process = new Deno.Command(promtool, {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(await (await ask(redis)).text()));
    await writer.close();
    const { code, stdout, stderr } = await process.output();
    const decoder = new TextDecoder();
    assertEquals([code, decoder.decode(stdout) + decoder.decode(stderr)], [0, ""]);
  }, { ignore: !RedisServer.controllable }),
);
