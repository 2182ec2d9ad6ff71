import { type ChannelSubscription, connect, type Larder } from "../../mod.ts";
import { openOnCluster } from "../support/open_on_cluster.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog } from "../support/until.ts";

/** Where channels are; two processes, or one that stands for both. */
export interface World extends AsyncDisposable {
  readonly name: string;
  readonly a: Larder;
  readonly b: Larder;
  readonly log: EventLog;
}

async function memoryWorld(): Promise<World> {
  const log = new EventLog();
  const redis = await connect({ url: "memory:", on: log.on });
  return { name: "memory", a: redis, b: redis, log, [Symbol.asyncDispose]: () => redis.close() };
}

async function redisWorld(): Promise<World> {
  const log = new EventLog();
  const server = await RedisServer.start();
  const open = () => connect({ url: server.url, namespace: "news", commandTimeout: "5s", on: log.on });
  const [a, b] = await Promise.all([open(), open()]);
  await Promise.all([a.ready({ timeout: "20s" }), b.ready({ timeout: "20s" })]);
  return {
    ...{ name: "redis", a, b, log },
    async [Symbol.asyncDispose]() {
      await Promise.all([a.close(), b.close()]);
      await server[Symbol.asyncDispose]();
    },
  };
}

async function clusterWorld(): Promise<World> {
  const log = new EventLog();
  const cluster = await RedisCluster.start();
  const [a, b] = await Promise.all([1, 2].map(() => openOnCluster(cluster, { namespace: "news", on: log.on })));
  return {
    ...{ name: "cluster", a: a!.redis, b: b!.redis, log },
    async [Symbol.asyncDispose]() {
      await a![Symbol.asyncDispose]();
      await b![Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** Declares a test of what holds wherever channels are. */
export function contract(name: string, check: (world: World) => Promise<void>): void {
  Deno.test(name, async (t) => {
    for (const open of [memoryWorld, redisWorld, ...RedisCluster.possible ? [clusterWorld] : []]) {
      await using world = await open();
      await t.step(world.name, async () => await check(world));
    }
  });
}

/** The next items of a loop. */
export async function take<Value, Item>(
  subscription: ChannelSubscription<Value, Item>,
  count: number,
): Promise<Item[]> {
  const items: Item[] = [];
  for (let i = 0; i < count; i++) {
    const { done, value } = await subscription.next();
    if (done) break;
    items.push(value);
  }
  return items;
}
