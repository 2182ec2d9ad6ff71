import type { Larder } from "../../mod.ts";

/** Two processes of one service, and whether a server has refused something. */
export interface Pair {
  readonly one: Larder;
  readonly two: Larder;
  refused(): boolean;
}

/** Tries a service. It throws, or says what came instead of what was wanted. */
export type Trial = (pair: Pair) => Promise<string | void>;

const PATIENCE = 10_000;

/** Whether something becomes so in a while; what was refused will not. */
async function becomes({ refused }: Pair, check: () => Promise<boolean> | boolean): Promise<boolean> {
  for (const end = performance.now() + PATIENCE; performance.now() < end;) {
    if (await check()) return true;
    if (refused()) return await check();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

/** How often a process has asked for entries. */
function reads(larder: Larder): number {
  return larder.metrics()[0]!.latencies.filter(({ operation }) => operation.startsWith("read cache"))
    .reduce((sum, { count }) => sum + count, 0);
}

/** The services, in the order of the table. */
export const TRIALS: Readonly<Record<string, Trial>> = {
  cache: async ({ one, two }) => {
    if (!await one.cache.set("a", 1, { tags: ["t"] })) return "not stored";
    if (await one.cache.getOrSet("b", () => 2) !== 2 || await two.cache.get("b") !== 2) return "not found";
  },

  invalidation: async ({ one, two }) => {
    await one.cache.setMany([["k", 1], ["l", 1]], { tags: ["t"] });
    const changes = [await one.cache.invalidate("k"), await one.cache.invalidateByTag("t")];
    if ((await two.cache.getMany(["k", "l"])).size > 0) return "stale";
    if (!await one.cache.set("n", 1)) return "not stored";
    changes.push(await one.cache.clear());
    if (await two.cache.get("n") !== undefined) return "stale";
    return changes.find(({ status }) => status !== "done")?.status;
  },

  patterns: async ({ one, two }) => {
    await one.cache.set("m:1", 1);
    const { status } = await one.cache.invalidateByPattern("m:*");
    return await two.cache.get("m:1") === undefined && status === "done" ? undefined : status;
  },

  copies: async (pair) => {
    const { one, two } = pair;
    await one.cache.set("c", 1);
    const served = await becomes(pair, async () => {
      const before = reads(two);
      return await two.cache.get("c") === 1 && reads(two) === before;
    });
    await one.cache.set("c", 2);
    if (!await becomes(pair, async () => await two.cache.get("c") === 2)) return "stale";
    return served ? undefined : "off";
  },

  sessions: async ({ one, two }) => {
    const { id } = await one.sessions.create("ada", { theme: "dark" });
    if ((await two.sessions.get(id))?.userId !== "ada") return "not found";
    if (!await one.sessions.destroy(id) || await two.sessions.get(id)) return "not destroyed";
  },

  limits: async ({ one }) => {
    const { source } = await one.rateLimit.check("API", "203.0.113.7");
    return source === "redis" ? undefined : source;
  },

  locks: async ({ one, two }) => {
    const lock = await one.locks.acquire("job");
    const next = two.locks.acquire("job", { wait: PATIENCE });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await lock.release();
    await (await next).release();
  },

  channels: async (pair) => {
    const messages = pair.two.pubsub.channel<number>("news").subscribe();
    let ready = false;
    messages.ready.then(() => ready = true, () => {});
    if (!await becomes(pair, () => ready)) {
      await messages.return();
      return "not subscribed";
    }
    await pair.one.pubsub.channel<number>("news").publish(7);
    const { value } = await messages.next();
    await messages.return();
    return value?.value === 7 ? undefined : "not heard";
  },

  "inspect()": async ({ one }) => {
    await one.cache.set("seen", 1);
    const found = [];
    for await (const { key } of one.cache.inspect("seen")) found.push(key);
    return found.length === 1 ? undefined : "not found";
  },
};
