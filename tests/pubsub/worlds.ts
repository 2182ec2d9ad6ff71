import { type ChannelSubscription, connect, type Larder } from "../../mod.ts";
import { NAMED, ON_MEMORY, ON_REDIS, openNamed, startContractServer, WITH_LOCAL } from "../support/contract_target.ts";
import { openOnCluster } from "../support/open_on_cluster.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
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
  // Patterns of channels have to be among the rights as they are, and each of these tests has a namespace of its own.
  const server = await startContractServer({});
  const named = NAMED ? await Promise.all([1, 2].map(() => openNamed(server))) : [];
  const open = async (i: number) => {
    const where = named[i] ? { client: named[i].client } : { url: server.url };
    return await connect({
      ...{ ...where, namespace: "news", commandTimeout: "5s", on: log.on },
      cache: { local: WITH_LOCAL },
    });
  };
  const [a, b] = await Promise.all([open(0), open(1)]);
  await Promise.all([a.ready({ timeout: "20s" }), b.ready({ timeout: "20s" })]);
  return {
    ...{ name: "redis", a, b, log },
    async [Symbol.asyncDispose]() {
      await Promise.all([a.close(), b.close()]);
      for (const { close } of named) await close();
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

const WORLDS = [
  ...ON_MEMORY ? [memoryWorld] : [],
  ...ON_REDIS && NAMED?.subscribes !== false ? [redisWorld] : [],
  ...NAMED === undefined && RedisCluster.possible && ON_REDIS ? [clusterWorld] : [],
];

/** Declares a test of what holds wherever channels are. */
export function contract(name: string, check: (world: World) => Promise<void>): void {
  Deno.test(name, async (t) => {
    for (const open of WORLDS) {
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
