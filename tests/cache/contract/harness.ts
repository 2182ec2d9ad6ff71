import { MemoryStore } from "../../../src/cache/memory_store.ts";
import { RedisStore } from "../../../src/cache/redis/store.ts";
import { channelOf } from "../../../src/cache/redis/change_message.ts";
import type { CacheStore } from "../../../src/cache/store.ts";
import type { EventListener } from "../../../src/observe/events.ts";
import { Batch } from "../../../src/redis/batch.ts";
import { ManualClock } from "../../../src/testing/manual_clock.ts";
import { type ContractServer, openForContract, WITH_LOCAL } from "../../support/contract_target.ts";

import { until } from "../../support/until.ts";

export { runCases } from "../../support/run_cases.ts";

/** Where the stores under test keep their data, and the means to let time pass there. */
export interface Harness extends AsyncDisposable {
  readonly kind: "memory" | "redis";
  /** Opens a store on the same data, as one more process would. */
  readonly open: (on?: EventListener) => Promise<CacheStore>;
  /** Lets so many milliseconds pass for all that is stored. */
  readonly advance: (milliseconds: number) => Promise<void>;
  /** Closed with it, before the stores: caches whose loaders may still be about to begin. */
  readonly caches: AsyncDisposable[];
}

/** A case of a suite. */
export type Case = (harness: Harness) => Promise<void>;

/** The embedded store on a clock that stands still. Other "processes" share the one store. */
export class MemoryHarness implements Harness {
  readonly kind = "memory" as const;
  readonly caches: AsyncDisposable[] = [];
  readonly #clock = new ManualClock();
  readonly #store: MemoryStore;

  constructor(options: { maxEntries?: number } = {}) {
    this.#store = new MemoryStore({ now: this.#clock.now, maxEntries: 10_000, ...options });
  }

  readonly open = (): Promise<CacheStore> => Promise.resolve(this.#store);

  readonly advance = (milliseconds: number): Promise<void> => {
    this.#clock.advance(`${milliseconds}ms`);
    return Promise.resolve();
  };

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cache of this.caches) await cache[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
  }
}

/** Makes all times of the entries and leases in KEYS earlier by ARGV[1] milliseconds, which is as good as waiting. */
const AGE = `
local ms = tonumber(ARGV[1])
for _, key in ipairs(KEYS) do
  if redis.call('STRLEN', key) >= 68 then
    local fresh, stale, failing, token, till = struct.unpack('>ddddd', redis.call('GETRANGE', key, 24, 63))
    local function earlier(t) return t > 0 and t < 9e15 and t - ms or t end
    redis.call('SETRANGE', key, 24,
      struct.pack('>ddddd', earlier(fresh), earlier(stale), earlier(failing), token, earlier(till)))
    local left = redis.call('PTTL', key)
    if left > ms then redis.call('PEXPIRE', key, left - ms) elseif left >= 0 then redis.call('DEL', key) end
  end
end`;

function listens(store: RedisStore): boolean {
  using watch = store.watch("~live");
  return watch.live;
}

/** What is needed of a server. */
type ServerOfHarness = Pick<ContractServer, "hostname" | "port" | "cli">;

/** A namespace of its own on a Redis server. Each store has a connection of its own. */
export class RedisHarness implements Harness {
  readonly kind = "redis" as const;
  readonly caches: AsyncDisposable[] = [];
  readonly namespace: string = `contract-${crypto.randomUUID()}`;
  readonly #server: ServerOfHarness;
  readonly #buckets: number;
  readonly #opened: { store: RedisStore; batch: Batch; close(): unknown }[] = [];

  constructor(server: ServerOfHarness, options: { buckets?: number } = {}) {
    this.#server = server;
    this.#buckets = options.buckets ?? 1;
  }

  readonly open = async (on?: EventListener): Promise<RedisStore> => {
    const { client, start, close } = await openForContract(this.#server);
    // Nothing here is about deadlines, and the machine may be busy.
    const batch = new Batch(client, { commandTimeout: 10_000, on });
    const store = new RedisStore(batch, { namespace: this.namespace, buckets: this.#buckets, on });
    this.#opened.push({ store, batch, close });
    await start?.();
    if (WITH_LOCAL) await until(() => listens(store), "changes are told");
    return store;
  };

  readonly advance = async (milliseconds: number): Promise<void> => {
    const keys = await this.keys();
    if (keys.length > 0) await this.#server.cli("EVAL", AGE, keys.length, ...keys, milliseconds);
    if (WITH_LOCAL) await this.#forgetCopies();
  };

  /** Copies have clocks of their own, which nobody can set: those of before are gone. */
  async #forgetCopies(): Promise<void> {
    const watches = this.#opened.map(({ store }) => store.watch("~aged"));
    const told = watches.map((watch) => watch.next(10_000));
    await this.#server.cli("PUBLISH", channelOf(this.namespace, 0), "e\x01");
    await Promise.all(told);
    for (const watch of watches) watch[Symbol.dispose]();
  }

  /** The entries in Redis. */
  async keys(): Promise<string[]> {
    return await this.#server.cli("KEYS", `{${this.namespace}*}:c:*`) as string[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cache of this.caches) await cache[Symbol.asyncDispose]();
    for (const { store, batch, close } of this.#opened) {
      await store[Symbol.asyncDispose]();
      await batch.close();
      await close();
    }
  }
}
