import { connect, type Larder, type LarderEvent, UnavailableError } from "../../mod.ts";
import { Streams } from "../../src/streams/streams.ts";
import { MemoryStreamStore } from "../../src/streams/memory_store.ts";
import { NAMED, ON_MEMORY, ON_REDIS, openNamed, startContractServer, WITH_LOCAL } from "../support/contract_target.ts";
import { openOnCluster } from "../support/open_on_cluster.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { RedisServer } from "../support/redis_server.ts";

/** Some processes, as they look to each other, on one store. */
export interface StreamWorld extends AsyncDisposable {
  readonly name: string;
  /** Opens streams as one more process does. */
  open(on?: (event: LarderEvent) => void): Promise<Streams>;
}

/** The embedded store. */
export function memoryWorld(): Promise<StreamWorld> {
  const store = new MemoryStreamStore();
  const share = () => {
    let closed = false;
    return new Proxy(store, {
      get(target, name) {
        if (name === Symbol.asyncDispose) return () => Promise.resolve(void (closed = true));
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (closed) return Promise.reject(new UnavailableError(String(name), "closed", { closedBy: "close()" }));
          return value.apply(target, args);
        };
      },
    });
  };
  const opened: Streams[] = [];
  return Promise.resolve({
    name: "memory",
    open(on) {
      const streams = new Streams(share(), {}, on);
      opened.push(streams);
      return Promise.resolve(streams);
    },
    async [Symbol.asyncDispose]() {
      for (const streams of opened) await streams[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  });
}

/** Redis, with a connection for each process. */
export async function redisWorld(): Promise<StreamWorld & { readonly server: RedisServer }> {
  const server = await RedisServer.start();
  const opened: Larder[] = [];
  return {
    name: "redis",
    server,
    async open(on = () => {}) {
      const redis = await connect({ url: server.url, namespace: "jobs", commandTimeout: "5s", on });
      opened.push(redis);
      await redis.ready({ timeout: "20s" });
      return redis.streams;
    },
    async [Symbol.asyncDispose]() {
      for (const redis of opened) await redis.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The client that is named, as its owner opens it, one for each process. */
export async function namedWorld(): Promise<StreamWorld> {
  const server = await startContractServer({});
  const opened: (() => unknown)[] = [];
  return {
    name: NAMED!.name,
    async open(on = () => {}) {
      const { client, close } = await openNamed(server);
      const cache = { local: WITH_LOCAL };
      const redis = await connect({ client, namespace: "jobs", commandTimeout: "5s", on, cache });
      opened.push(() => redis.close(), close);
      await redis.ready({ timeout: "20s" });
      return redis.streams;
    },
    async [Symbol.asyncDispose]() {
      for (const close of opened) await close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** A cluster, with connections for each process. */
export async function clusterWorld(): Promise<StreamWorld> {
  const cluster = await RedisCluster.start();
  const opened: AsyncDisposable[] = [];
  return {
    name: "cluster",
    async open(on) {
      const one = await openOnCluster(cluster, { namespace: "jobs", buckets: 3, ...(on && { on }) });
      opened.push(one);
      return one.redis.streams;
    },
    async [Symbol.asyncDispose]() {
      for (const one of opened) await one[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

const checks = new Map<string, (world: StreamWorld) => Promise<void>>();

/** A check that is run on each store. Its streams have names that no other check uses. */
export function contract(name: string, check: (world: StreamWorld) => Promise<void>): void {
  checks.set(name, check);
}

/** Runs all checks on each store. */
export function runContract(): void {
  const worlds = {
    ...(ON_MEMORY && { memory: memoryWorld }),
    ...(NAMED && { [NAMED.name]: namedWorld }),
    ...(ON_REDIS && !NAMED && { redis: redisWorld }),
    ...(ON_REDIS && !NAMED && RedisCluster.possible && { cluster: clusterWorld }),
  };
  for (const [store, open] of Object.entries(worlds)) {
    Deno.test(`streams do what they promise: ${store}`, async (t) => {
      await using world = await open();
      for (const [name, check] of checks) await t.step(name, async () => await check(world));
    });
  }
}
