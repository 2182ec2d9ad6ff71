/**
 * What each service takes on a Redis that is far away, with the defaults, over each kind of client. As a program it
 * prints the table of docs/outages.md: `deno task far`.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { Redis } from "ioredis";
import { createClient } from "redis";
import { connect, type ConnectOptions, type Larder } from "../../mod.ts";
import { fromIoredis } from "../../src/redis/adapters/from_ioredis.ts";
import { fromNodeRedis } from "../../src/redis/adapters/from_node_redis.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

/** Milliseconds of a round trip. */
export const DISTANCES = [50, 100, 300] as const;
/** The kinds of clients. */
export const CLIENTS = ["url", "ioredis", "node-redis"] as const;

/** What a service did: how many milliseconds it took, and whether it worked. */
export interface Measured {
  readonly what: string;
  readonly milliseconds: number;
  readonly worked: boolean;
}

/** The options at a distance: the defaults, or what `ready()` asks for by a warning. */
export function optionsFor(distance: number): ConnectOptions {
  return distance === 300 ? { commandTimeout: "1300ms" } : {};
}

const quiet = () => {};

async function open(kind: typeof CLIENTS[number], proxy: TcpProxy): Promise<[ConnectOptions, () => unknown]> {
  if (kind === "ioredis") {
    const redis = new Redis({ host: "127.0.0.1", port: proxy.port, maxRetriesPerRequest: 0 });
    redis.on("error", quiet);
    const ended = new Promise<void>((resolve) => redis.once("end", resolve));
    return [{ client: fromIoredis(redis) }, () => (redis.disconnect(), ended)];
  }
  if (kind === "url") return [{ url: proxy.url }, quiet];
  const redis = createClient({ url: proxy.url });
  redis.on("error", quiet);
  await redis.connect();
  return [{ client: fromNodeRedis(redis) }, () => redis.destroy()];
}

/** Uses each service once, as the first that a process does, at the defaults. */
export async function measure(
  kind: typeof CLIENTS[number],
  distance: number,
  port: number,
  options: ConnectOptions = {},
): Promise<Measured[]> {
  await using proxy = TcpProxy.start({ port });
  proxy.delay = distance / 2;
  const namespace = `far-${kind}-${distance}`;
  const all: Measured[] = [];
  const time = async (what: string, work: () => Promise<unknown>) => {
    const since = performance.now();
    const worked = await work().then(Boolean, () => false);
    all.push({ what, milliseconds: performance.now() - since, worked });
  };
  const [client, close] = await open(kind, proxy);
  let redis!: Larder;
  await time("connect() and ready()", async () => {
    redis = await connect({ ...client, namespace, on: quiet, ...options });
    await redis.ready({ timeout: "20s" });
    return true;
  });
  const { cache, sessions, rateLimit, locks, pubsub } = redis;
  let id = "";
  await time("cache.set()", () => cache.set("a", 1, { tags: ["t"] }));
  await time("cache.get()", async () => await cache.get("a") === 1);
  await time("cache.getOrSet(), a miss", async () => await cache.getOrSet("b", () => 2) === 2 && await cache.has("b"));
  await time("cache.invalidate()", async () => (await cache.invalidate("a")).status === "done");
  await time("cache.invalidateByTag()", async () => (await cache.invalidateByTag("t")).status === "done");
  await time("sessions.create()", async () => id = (await sessions.create("ada", {})).id);
  await time("sessions.get()", async () => (await sessions.get(id))?.userId === "ada");
  await time("sessions.destroyAll()", async () => await sessions.destroyAll("ada") === 1);
  await time("rateLimit.check()", async () => (await rateLimit.check("AUTH", "ada")).source === "redis");
  await time("locks.withLock()", () => locks.withLock("job", (lock) => lock.held));
  await time("pubsub, to oneself", async () => {
    await using messages = pubsub.channel<number>("news").subscribe();
    await messages.ready;
    await pubsub.channel<number>("news").publish(7);
    return (await messages.next()).value;
  });
  await time("health()", async () => (await redis.health()).status === "ok");
  await redis.close();
  await close();
  // Copies in the process: a read that needs no round trip.
  const [again, closeAgain] = await open(kind, proxy);
  const near = await connect({ ...again, namespace, cache: { local: true }, on: quiet, ...options });
  await near.ready({ timeout: "20s" });
  await until(() => near.cache.set("c", 3, { ttl: "1h" }), "it is stored");
  let copied = 0;
  await until(async () => {
    const since = performance.now();
    const found = await near.cache.get("c");
    copied = performance.now() - since;
    return found === 3 && copied < distance / 2;
  }, "a copy is served");
  all.push({ what: "cache.get(), a copy in the process", milliseconds: copied, worked: true });
  await near.close();
  await closeAgain();
  return all;
}

if (import.meta.main) {
  await using server = await RedisServer.start();
  const columns: Measured[][] = [];
  for (const distance of DISTANCES) columns.push(await measure("url", distance, server.port, optionsFor(distance)));
  console.log(`| round trip | ${DISTANCES.map((distance) => `${distance} ms`).join(" | ")} |`);
  console.log(`| --- | ${DISTANCES.map(() => "---").join(" | ")} |`);
  for (const [i, { what }] of columns[0]!.entries()) {
    const cells = columns.map((column) =>
      `${Math.round(column[i]!.milliseconds)} ms${column[i]!.worked ? "" : " (failed)"}`
    );
    console.log(`| ${what} | ${cells.join(" | ")} |`);
  }
}
