import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { LoaderTimeoutError } from "../../src/errors.ts";
import type { GetOrSetOptions, LoaderContext } from "../../src/cache/options.ts";
import type { RedisClient } from "../../src/redis/client.ts";
import {
  commandCounts,
  openCache,
  type OpenedCache,
  type OpenOptions,
  timesAsked,
  untilLive,
} from "../support/open_cache.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const ignore = !RedisServer.controllable;
const CALLERS = 500;

/** A process that loads the key `a`, and one in which 500 callers wait for it while no time passes for timers. */
interface Scene {
  readonly server: RedisServer;
  readonly holder: OpenedCache;
  readonly waiter: OpenedCache;
  /** Ends the load. */
  readonly load: PromiseWithResolvers<string>;
  readonly waits: readonly Promise<string>[];
  /** Loaders that ran where the callers wait. */
  readonly loads: () => number;
  readonly time: FakeTime;
  /** Scripts that ran since the callers began to wait. */
  readonly scripts: () => Promise<number>;
}

interface SceneOptions extends GetOrSetOptions<string> {
  /** Whether the loader asks not to store its value. */
  skip?: boolean;
  wrap?: OpenOptions["wrap"];
}

async function play(options: SceneOptions, run: (scene: Scene) => Promise<void>): Promise<void> {
  const { skip = false, wrap, ...rest } = options;
  await using server = await RedisServer.start();
  using time = new FakeTime(); // before anything sets a timer, so that none is real
  await using holder = await openCache(server);
  await using waiter = await openCache(server, wrap && { wrap });
  if (!wrap) await untilLive(waiter, () => time.tickAsync(1));
  await holder.cache.set("-", 1); // the server knows the scripts from now on
  const load = Promise.withResolvers<string>();
  const loading = Promise.withResolvers<void>();
  const held = holder.cache.getOrSet("a", async (context: LoaderContext<string>) => {
    loading.resolve();
    const value = await load.promise;
    return skip ? context.skip(value) : value;
  }, { lease: "1h", tags: ["t"] });
  held.catch(() => {});
  await loading.promise;
  // The first extension of the lease must not be counted below, whenever it arrives.
  await until(async () => (await commandCounts(server)).setrange, "the lease has proved itself");
  await server.cli("CONFIG", "RESETSTAT");
  const scripts = () => timesAsked(server);
  let loads = 0;
  const own = () => {
    loads++;
    return "own";
  };
  const waits = Array.from(
    { length: CALLERS },
    () => waiter.cache.getOrSet("a", own, { lease: "1h", tags: ["t"], ...rest }),
  );
  for (const wait of waits) wait.catch(() => {});
  // One read that misses, one after the watch has begun.
  await until(async () => await scripts() === 2, "the callers wait");
  await run({ server, holder, waiter, load, waits, loads: () => loads, time, scripts });
  load.resolve("late");
  await Promise.allSettled([held, ...waits]);
}

/** Checks that all callers get a value although no timer fires. */
async function assertWoken({ waits }: Scene, value: string): Promise<void> {
  assertEquals([...new Set(await Promise.all(waits))], [value]);
}

Deno.test({
  name: "Cache.getOrSet() wakes who waits for another process by a message, without polling",
  ignore,
  fn: () =>
    play({}, async (scene) => {
      const { holder, load, loads, scripts } = scene;
      let stored = 0;
      const told = holder.log.have("cache.load").then(() => stored = performance.now());
      load.resolve("loaded");
      await assertWoken(scene, "loaded");
      const woken = performance.now();
      await told;
      assertEquals(loads(), 0);
      assertEquals(await scripts(), 4); // the write and one more read
      // deno-lint-ignore no-console
      console.log(`${CALLERS} callers had the value ${(woken - stored).toFixed(1)} ms after its loader, with 3 reads`);
      assertLess(woken - stored, 1000);
    }),
});

Deno.test({
  name: "Cache.getOrSet() wakes who waits when there is nothing more to wait for",
  ignore,
  fn: async (t) => {
    await t.step("the loader failed", () =>
      play({}, async (scene) => {
        scene.load.reject(new Error("failed"));
        await assertWoken(scene, "own");
        assertEquals(scene.loads(), 1);
      }));
    await t.step("the loader's value is not to be stored", () =>
      play({ skip: true }, async (scene) => {
        scene.load.resolve("skipped");
        await assertWoken(scene, "own");
        assertEquals(scene.loads(), 1);
      }));
    await t.step("the key was invalidated", () =>
      play({}, async (scene) => {
        await scene.holder.cache.invalidate("a");
        await assertWoken(scene, "own");
        assertEquals(scene.loads(), 1);
        scene.load.resolve("old");
        await scene.holder.log.have("cache.load");
        assertEquals(await scene.holder.cache.get("a"), "own");
      }));
    await t.step("everything was invalidated", () =>
      play({}, async (scene) => {
        await scene.holder.cache.clear();
        await assertWoken(scene, "own");
        assertEquals(scene.loads(), 1);
      }));
    await t.step("the tag of what is being loaded was invalidated", () =>
      play({}, async (scene) => {
        await scene.holder.cache.invalidateByTag("t");
        scene.load.resolve("old");
        await assertWoken(scene, "own");
        assertEquals([scene.loads(), await scene.holder.cache.get("a")], [1, "own"]);
      }));
    await t.step("another value was set", () =>
      play({}, async (scene) => {
        await scene.holder.cache.set("a", "set");
        await assertWoken(scene, "set");
        scene.load.resolve("old");
        await scene.holder.log.have("cache.load");
        assertEquals([scene.loads(), await scene.holder.cache.get("a")], [0, "set"]);
      }));
  },
});

/** A client that cannot subscribe. */
function deaf(client: RedisClient): RedisClient {
  return new Proxy(client, {
    get(target, property) {
      if (property === "subscribe") return () => Promise.reject(new Error("not here"));
      const value = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test({
  name: "Cache.getOrSet() looks again from time to time where changes are not told",
  ignore,
  fn: () =>
    play({ wrap: deaf }, async ({ waiter, load, waits, loads, time, scripts, holder }) => {
      load.resolve("loaded");
      await holder.log.have("cache.load");
      const all = Promise.all(waits);
      let done = false;
      all.then(() => done = true, () => done = true);
      await time.tickAsync(9);
      assertEquals([done, await scripts()], [false, 3]);
      await time.tickAsync(200);
      assertEquals([...new Set(await all)], ["loaded"]);
      assertEquals([loads(), await scripts()], [0, 4]);
      assertEquals(waiter.log.of("warning").length, 1);
    }),
});

Deno.test({
  name: "Cache.getOrSet() misses nothing when the channel breaks while it waits",
  ignore,
  fn: () =>
    play({}, async ({ server, load, waits, loads, time, holder }) => {
      await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
      load.resolve("loaded");
      await holder.log.have("cache.load");
      const all = Promise.all(waits);
      let done = false;
      all.then(() => done = true, () => done = true);
      await until(async () => (await time.tickAsync(10), done), "they have looked again");
      assertEquals([[...new Set(await all)], loads()], [["loaded"], 0]);
    }),
});

Deno.test({
  name: "Cache.getOrSet() with a `hardTimeout` asks no more once it has given up",
  ignore,
  fn: () =>
    play({ hardTimeout: "10s" }, async ({ waits, loads, time, scripts }) => {
      const all = Promise.allSettled(waits);
      const over = time.now + 10_000;
      await until(async () => (await time.tickAsync(1000), time.now >= over), "the time is over");
      for (const { status, reason } of await all as PromiseRejectedResult[]) {
        assertEquals([status, reason instanceof LoaderTimeoutError], ["rejected", true]);
      }
      const before = await scripts();
      for (let i = 0; i < 20; i++) {
        await time.tickAsync(1000);
        await scripts(); // a round trip behind whatever was sent
      }
      assertEquals([await scripts(), loads()], [before, 0]);
    }),
});

Deno.test({
  name: "Cache.getOrSet() with a signal asks no more once it is aborted",
  ignore,
  fn: async () => {
    const abort = new AbortController();
    await play({ signal: abort.signal }, async ({ waits, loads, time, scripts }) => {
      abort.abort(new Error("enough"));
      for (const wait of waits) await assertRejects(() => wait, Error, "enough");
      const before = await scripts();
      for (let i = 0; i < 20; i++) {
        await time.tickAsync(1000);
        await scripts();
      }
      assertEquals([await scripts(), loads()], [before, 0]);
    });
  },
});

Deno.test({
  name: "Cache.getOrSet() with `lock: false` waits for no other process, and the last who began is stored",
  fn: async () => {
    await using server = await RedisServer.start();
    await using holder = await openCache(server);
    await using other = await openCache(server);
    const load = Promise.withResolvers<string>();
    const loading = Promise.withResolvers<void>();
    const held = holder.cache.getOrSet("a", () => (loading.resolve(), load.promise), { lease: "1h" });
    await loading.promise;
    let loads = 0;
    const own = async () => {
      loads++;
      return await Promise.resolve("own");
    };
    const values = Array.from({ length: 10 }, () => other.cache.getOrSet("a", own, { lock: false, lease: "1h" }));
    assertEquals([[...new Set(await Promise.all(values))], loads], [["own"], 1]);
    load.resolve("late");
    assertEquals(await held, "late");
    assertEquals(await holder.cache.get("a"), "own");
    assertEquals(holder.cache.stats().refused, 1);
  },
});

Deno.test({
  name: "Cache.getOrSet() runs a failing loader once in each process, one at a time",
  fn: async () => {
    await using server = await RedisServer.start();
    const opened = await Promise.all(Array.from({ length: 4 }, () => openCache(server)));
    let [loads, now, most] = [0, 0, 0];
    const fail = async () => {
      loads++;
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 20));
      now--;
      throw new Error("down");
    };
    const waits = opened.flatMap(({ cache }) => Array.from({ length: 50 }, () => cache.getOrSet("a", fail)));
    for (const wait of await Promise.allSettled(waits)) assertEquals(wait.status, "rejected");
    assertEquals([loads, most], [4, 1]);
    for (const each of opened) await each[Symbol.asyncDispose]();
  },
});
