import { Cache } from "../../src/cache/cache.ts";
import type { CacheOptions } from "../../src/cache/options.ts";
import { RedisStore } from "../../src/cache/redis/store.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { Batch } from "../../src/redis/batch.ts";
import type { RedisClient } from "../../src/redis/client.ts";
import { EventLog, until } from "./until.ts";

/** A cache as one more process would have it, and what is behind it. */
export interface OpenedCache extends AsyncDisposable {
  readonly cache: Cache;
  readonly store: RedisStore;
  readonly client: RedisClient;
  readonly log: EventLog;
}

/** How a cache is opened. */
export interface OpenOptions extends CacheOptions {
  /** Stands between the store and the client. */
  wrap?: (client: RedisClient) => RedisClient;
  /** Where it subscribes, if that is not the server itself. */
  subscribeVia?: { port: number };
  username?: string;
  password?: string;
  /** @default {10_000}, since the machine may be busy */
  commandTimeout?: number;
  buckets?: number;
  /** The number of the database. @default {0} */
  db?: number;
  /** @default {one that all caches of a test share} */
  namespace?: string;
}

const namespaces = new WeakMap<object, string>();

/** The namespace that all caches of one test share on a server, which may have been there before the test. */
export function namespaceOf(server: object): string {
  const namespace = namespaces.get(server) ?? `test-${crypto.randomUUID()}`;
  namespaces.set(server, namespace);
  return namespace;
}

/** Opens a cache on a server, with connections of its own. */
export async function openCache(
  server: { hostname?: string; port: number },
  options: OpenOptions = {},
): Promise<OpenedCache> {
  const {
    wrap = (client) => client,
    subscribeVia,
    username,
    password,
    commandTimeout = 10_000,
    buckets = 1,
    db,
    namespace = namespaceOf(server),
    ...rest
  } = options;
  const { hostname = "127.0.0.1", port } = server;
  let started = false;
  const real = new WireClient({
    hostname,
    username,
    password,
    db,
    // Each connection asks anew; the first one is for commands.
    get port() {
      return started ? subscribeVia?.port ?? port : port;
    },
  });
  const client = wrap(real);
  const log = new EventLog();
  const batch = new Batch(client, { commandTimeout, on: log.on });
  await real.start();
  started = true;
  const store = new RedisStore(batch, { namespace, buckets, on: log.on });
  const cache = new Cache(store, rest, log.on);
  return {
    cache,
    store,
    client,
    log,
    async [Symbol.asyncDispose]() {
      await cache[Symbol.asyncDispose]();
      await batch.close();
    },
  };
}

/** How often a server was asked: each read and each write asks it for its time once, with a script or without. */
export async function timesAsked(server: Parameters<typeof commandCounts>[0]): Promise<number> {
  const { time = 0 } = await commandCounts(server);
  return time;
}

/** How many scripts a server was given, those that it did not know too. */
export async function scriptsRun(server: Parameters<typeof commandCounts>[0]): Promise<number> {
  const { evalsha = 0, eval: sent = 0 } = await commandCounts(server);
  return evalsha + sent;
}

/** Reads a key until the cache answers from a copy of its own. */
export async function untilCopied(
  server: Parameters<typeof commandCounts>[0],
  opened: OpenedCache,
  key: string,
): Promise<void> {
  await until(async () => {
    const before = await timesAsked(server);
    await opened.cache.get(key);
    return await timesAsked(server) === before;
  }, `there is a copy of "${key}"`);
}

/** Waits until a cache hears what others change; `tick` lets time pass where it is a test's. */
export async function untilLive({ store }: OpenedCache, tick?: () => Promise<void>): Promise<void> {
  await until(async () => {
    await tick?.();
    using watch = store.watch("-");
    return watch.live;
  }, "changes are told");
}

/** How often each command ran since `CONFIG RESETSTAT`, as a server tells it. */
export async function commandCounts(
  server: { cli(...command: string[]): Promise<unknown> },
): Promise<Record<string, number>> {
  const text = await server.cli("INFO", "commandstats") as string;
  const counts = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, calls]) => [name, Number(calls)]);
  return Object.fromEntries(counts);
}
