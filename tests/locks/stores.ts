import { Locks } from "../../src/locks/locks.ts";
import { MemoryLockStore } from "../../src/locks/memory_store.ts";
import { connect } from "../../src/connect/larder.ts";
import type { LarderEvent } from "../../src/observe/events.ts";
import { type ContractServer, NAMED, openNamed, startContractServer, WITH_LOCAL } from "../support/contract_target.ts";

/** Some processes, as they look to each other, on one store. */
export interface LockWorld extends AsyncDisposable {
  readonly name: string;
  /** Opens locks as one more process does. */
  open(on?: (event: LarderEvent) => void): Promise<Locks>;
  /** The keys that are left. */
  left(): Promise<number>;
  /** The server, where there is one. */
  readonly server?: ContractServer;
}

/** The embedded store. */
export function memoryWorld(): LockWorld {
  const store = new MemoryLockStore();
  const shared = new Proxy(store, {
    get(target, name) {
      if (name === Symbol.asyncDispose) return () => Promise.resolve();
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const opened: Locks[] = [];
  return {
    name: "memory",
    open: (on) => {
      const locks = new Locks(shared, on);
      opened.push(locks);
      return Promise.resolve(locks);
    },
    left: () => Promise.resolve(store.size),
    async [Symbol.asyncDispose]() {
      for (const locks of opened) await locks[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Redis, with a connection for each process. */
export async function redisWorld(buckets = 1): Promise<LockWorld> {
  const server = await startContractServer();
  const opened: (() => unknown)[] = [];
  return {
    name: `redis, ${buckets} buckets`,
    server,
    async open(on) {
      const options = { namespace: "locks", buckets, commandTimeout: "5s", cache: { local: WITH_LOCAL } } as const;
      const named = NAMED && await openNamed(server);
      const where = named ? { client: named.client } : { url: server.url };
      const redis = await connect({ ...where, ...options, on: on ?? (() => {}) });
      opened.push(() => redis.close(), () => named?.close());
      await redis.ready({ timeout: "20s" });
      return redis.locks;
    },
    left: async () => (await server.cli("KEYS", "*:lock*") as string[]).length,
    async [Symbol.asyncDispose]() {
      for (const close of opened) await close();
      await server[Symbol.asyncDispose]();
    },
  };
}
