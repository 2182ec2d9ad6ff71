import { assertEquals, assertGreater, assertLess } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import type { ConnectOptions, Larder } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

/** What a free tier of a managed server has, a day. */
const FREE = 10_000;
const HOURS = 1;

/** What was sent before is answered when the server has answered twice more. */
async function answered(server: RedisServer): Promise<void> {
  for (let i = 0; i < 2; i++) await server.cli("ECHO", i);
}

/** Commands that clients sent, as opposed to scripts. */
async function sent(server: RedisServer): Promise<number> {
  const stats = String(await server.cli("INFO", "commandstats"));
  const calls = (name: string) => Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, "m").exec(stats)?.[1] ?? 0);
  return ["ping", "publish", "eval", "evalsha", "mget", "auth", "client\\|setname", "subscribe"]
    .reduce((sum, name) => sum + calls(name), 0);
}

const USES: Readonly<Record<string, [Partial<ConnectOptions>, (larder: Larder) => Promise<unknown>]>> = {
  "nothing was done yet": [{}, () => Promise.resolve()],
  "cache, sessions and limits were used": [{}, async ({ cache, sessions, rateLimit }) => {
    await cache.set("a", 1);
    await sessions.get((await sessions.create("ada", {})).id);
    await rateLimit.check("API", "203.0.113.7");
  }],
  "locks and channels are listened for": [{}, async ({ locks, pubsub }) => {
    await locks.withLock("job", () => {});
    const messages = pubsub.channel("news").subscribe();
    await messages.ready;
  }],
  'copies, with heartbeat: "30s"': [{ cache: { local: true }, heartbeat: "30s" }, async ({ cache }) => {
    await cache.set("a", 1);
    for (let i = 0; i < 20; i++) await cache.get("a");
  }],
};

Deno.test({
  name: "An idle process sends fewer commands a day than a free tier has",
  ignore: !RedisServer.controllable,
  fn: async (t) => {
    // What keeps connections alive goes by the timers that were there when the library was loaded.
    const toFake = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] as const;
    const clock = FakeTimers.install({ toFake: [...toFake], now: Date.now() });
    try {
      const { connect } = await import("../../mod.ts");
      for (const [name, [options, use]] of Object.entries(USES)) {
        await t.step(name, async () => {
          await using server = await RedisServer.start();
          const larder = await connect({ url: server.url, namespace: "shop", on: () => {}, ...options });
          const used = use(larder);
          let done = false;
          used.then(() => done = true, () => done = true);
          for (let i = 0; i < 2000 && !done; i++) {
            await clock.tickAsync(50); // a first proof is sent when its timer says so
            await answered(server);
          }
          await used;
          await clock.tickAsync(5000);
          const before = await sent(server);
          for (const end = clock.now + HOURS * 3_600_000; clock.now < end;) {
            await clock.nextAsync();
            await answered(server);
          }
          const aDay = (await sent(server) - before) * 24 / HOURS;
          const closed = larder.close();
          await clock.runToLastAsync();
          await closed;
          assertGreater(aDay, name.includes("copies") || name.includes("listened") ? FREE * 0.8 : FREE * 0.25);
          assertLess(aDay, FREE, `${aDay} commands a day`);
        });
      }
    } finally {
      clock.uninstall();
    }
    assertEquals(typeof globalThis.setTimeout, "function");
  },
});
