/**
 * What calls take on a Redis that is far away, so that two commands of one call do not fit into its deadline.
 *
 * @module
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { connect, type Larder } from "../../../mod.ts";
import { calmly } from "../../support/calm.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** The deadline of commands, which is the default. */
const DEADLINE = 500;
/** What a loaded machine may take beyond it: half of what two deadlines would be. */
const SLACK = 250;

interface Opened extends AsyncDisposable {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
  readonly redis: Larder;
}

async function open(distance: number): Promise<Opened> {
  const server = await RedisServer.start();
  const proxy = TcpProxy.start(server);
  proxy.delay = distance / 2;
  const redis = await connect({ url: proxy.url, namespace: "far" });
  return {
    server,
    proxy,
    redis,
    async [Symbol.asyncDispose]() {
      await redis.close();
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function took(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work.catch(() => {});
  return performance.now() - start;
}

/**
 * How long it takes when this process is not kept from its work: a process that was busy looks again, which takes
 * longer.
 */
async function best(call: () => Promise<unknown>): Promise<number> {
  for (let tries = 0;; tries++) {
    let lag = 0;
    let last = performance.now();
    const watch = setInterval(() => {
      lag = Math.max(lag, performance.now() - last - 10);
      last = performance.now();
    }, 10);
    const milliseconds = await took(call());
    clearInterval(watch);
    // What was given up is still on its way, and the next call would have to wait until it can be written.
    if (milliseconds > DEADLINE - 20) await new Promise((resolve) => setTimeout(resolve, DEADLINE));
    if (milliseconds < DEADLINE + SLACK || lag < 20 || tries === 9) return milliseconds;
  }
}

/** The calls of all services that may take more than one command. */
function callsOf({ cache, sessions, rateLimit, client }: Larder): Record<string, () => Promise<unknown>> {
  let id = "x".repeat(43);
  return {
    "cache.get": () => cache.get("a"),
    "cache.set": () => cache.set("a", 1, { ttl: 60, tags: ["t"] }),
    "cache.get after it": () => cache.get("a"),
    "cache.invalidate": () => cache.invalidate("a"),
    "cache.invalidateByTag": () => cache.invalidateByTag("t"),
    "cache.touch": () => cache.touch("a", 60),
    "cache.getMany": () => cache.getMany(["a", "b", "c"]),
    "sessions.create": async () => id = (await sessions.create("ada", { a: 1 })).id,
    "sessions.get": () => sessions.get(id),
    "sessions.update": () => sessions.update(id, { a: 2 }),
    "sessions.update by a function": () => sessions.update(id, () => ({ a: 3 })),
    "sessions.regenerate": async () => id = (await sessions.regenerate(id))?.id ?? id,
    "sessions.list": () => sessions.list("ada"),
    "sessions.destroyAll": () => sessions.destroyAll("ada"),
    "rateLimit.check": () => rateLimit.check("AUTH", "a"),
    "rateLimit.checkAll": () => rateLimit.checkAll([["AUTH", "a"], ["API", "a"]]),
    "rateLimit.reset": () => rateLimit.reset("AUTH", "a"),
    "client.sendCommand": () => client.sendCommand("GET", ["a"]),
  };
}

for (const distance of [300, 420]) {
  Deno.test(`Every call ends within its one deadline on a Redis that is ${distance} ms away`, async () => {
    // The first calls of a process and later ones, next to each other: they wait for the line and not for each other.
    await using first = await open(distance);
    await using second = await open(0);
    const [cold, warm] = [callsOf(first.redis), callsOf(second.redis)];
    for (const call of Object.values(warm)) await took(call());
    second.proxy.delay = distance / 2;
    await Promise.all(
      Object.entries({ "the first time": cold, "the second time": warm }).map(async ([round, calls]) => {
        for (const [name, call] of Object.entries(calls)) {
          assertLess(await best(call), DEADLINE + SLACK, `${name}, ${round}`);
        }
      }),
    );
  });
}

Deno.test("Cache and sessions work on a Redis that is 300 ms away", () =>
  calmly(async () => {
    await using opened = await open(300);
    const { cache, sessions, rateLimit } = opened.redis;
    // What a process does first may have to find out what time it is there, and whether the scripts are known.
    await cache.set("warm", 1);
    await cache.get("warm");
    await cache.get("warm");
    assertEquals(await cache.set("a", 1, { ttl: 60 }), true);
    assertEquals(await cache.get("a"), 1);
    assertEquals((await cache.invalidate("a")).status, "done");
    assertEquals(await cache.get("a"), undefined);
    const { id } = await sessions.create("ada", { a: 1 });
    assertEquals((await sessions.get(id))?.data, { a: 1 });
    assertEquals((await rateLimit.check("AUTH", "a")).source, "redis");
  }));

Deno.test("Every call ends within twice its deadline under jitter, in whatever order and number they come", async () => {
  await using opened = await open(0);
  const { proxy, redis } = opened;
  await redis.ready({ timeout: "60s" });
  let distance = 1;
  const jitter = setInterval(() => {
    distance = distance * 48_271 % 0x7fffffff;
    proxy.delay = distance % 300;
  }, 20);
  const times: number[] = [];
  try {
    const calls = Object.values(callsOf(redis));
    await Promise.all(Array.from({ length: 120 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 25));
      times.push(await took(calls[i % calls.length]!()));
    }));
  } finally {
    clearInterval(jitter);
    proxy.delay = 0;
  }
  assert(times.length === 120);
  assertLess(Math.max(...times), 2 * DEADLINE + SLACK);
});
