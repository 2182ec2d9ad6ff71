import { Cache } from "../../../src/cache/cache.ts";
import { MemoryStore } from "../../../src/cache/memory_store.ts";
import type { CacheOptions } from "../../../src/cache/options.ts";
import { RedisStore } from "../../../src/cache/redis/store.ts";
import { UnavailableError } from "../../../src/errors.ts";
import { WireClient } from "../../../src/redis/wire/client.ts";
import { Batch } from "../../../src/redis/batch.ts";
import { ManualClock } from "../../../src/testing/manual_clock.ts";
import type { CacheStore } from "../../../src/cache/store.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import { RETRY_AFTER } from "./model.ts";

/** A loader never loses its lease to time: what is made to pass leaves leases alone (see AGE), and a day is long. */
const OPTIONS: CacheOptions = { lease: "24h", retryAfter: RETRY_AFTER };
const BESIDE = "v2";

/** Caches on the same data, as many processes have them, and the means to let time pass and to lose data. */
export interface System extends AsyncDisposable {
  readonly name: string;
  /** Whether entries are as old as they seem. */
  readonly ages: boolean;
  /** Milliseconds that have passed by themselves, which time to live may be short of. */
  readonly passed: () => number;
  /** The cache of a process; -1 = the one that only looks. */
  readonly cache: (by: number, beside: boolean) => Cache;
  /** Lets time pass. */
  readonly advance: (seconds: number, keys: readonly string[]) => Promise<void>;
  /** Ends a process and starts another in its place. */
  readonly restart: (by: number) => Promise<void>;
  /** Puts a process in the place of one that died; nothing of that is told to anybody. */
  readonly kill: (by: number) => Promise<void>;
  /** Has the leases for these keys run out. */
  readonly expire: (keys: readonly string[], beside: boolean) => Promise<void>;
  /** Keys of which the store does not take the next value of a loader. */
  readonly refused: Set<string>;
  /** Loses the records of invalidations, or the scripts. */
  readonly lose: (what: "ledger" | "scripts", beside: boolean) => Promise<void>;
  /** Has a process invalidate by a pattern that dies before what matches is removed. */
  readonly half: (beside: boolean, pattern: string) => Promise<void>;
  /** Resolves when what a process sent without waiting has been carried out. */
  readonly flushed: (by: number) => Promise<void>;
  /** Reads that the store was asked for. */
  readonly reads: () => number;
}

/** Stores beside others, for as long as those are there: a store does not hold them itself. */
const HELD = new WeakMap<CacheStore, CacheStore>();

/** Has a store refuse the value of a loader. */
function refuse(store: CacheStore, refused: Set<string>): void {
  const other = store.beside(BESIDE);
  HELD.set(store, other);
  for (const each of [store, other]) {
    const write = each.write.bind(each);
    each.write = (...args) =>
      args[2] && refused.delete(args[0])
        ? Promise.reject(new UnavailableError("write cache entry", "timeout"))
        : write(...args);
  }
}

/** Ends the leases for some keys, as time would. */
async function expire(store: CacheStore, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const { held } = await store.read(key);
    if (held > 0) await store.extend(key, held, 0);
  }
}

/** The embedded store, on a clock of its own. All processes share it. */
export function memory(): System {
  const clock = new ManualClock();
  const store = new MemoryStore({ now: clock.now });
  const refused = new Set<string>();
  refuse(store, refused);
  const caches = [-1, 0, 1].map(() => new Cache(store, OPTIONS));
  const cache = (by: number, beside: boolean) => beside ? caches[by + 1]!.namespace(BESIDE) : caches[by + 1]!;
  return {
    name: "memory",
    ages: true,
    passed: () => 0,
    cache,
    advance: (seconds) => Promise.resolve(clock.advance(seconds)),
    restart: (by) => {
      caches[by + 1] = new Cache(store, OPTIONS);
      return Promise.resolve();
    },
    kill: (by) => {
      caches[by + 1] = new Cache(store, OPTIONS);
      return Promise.resolve();
    },
    expire: (keys, beside) => expire(beside ? store.beside(BESIDE) : store, keys),
    refused,
    lose: async (what, beside) => {
      if (what === "ledger") await cache(-1, beside).clear();
    },
    half: async (beside, pattern) => void await cache(-1, beside).invalidateByPattern(pattern),
    flushed: () => Promise.resolve(),
    reads: () => 0,
    [Symbol.asyncDispose]: async () => {
      for (const cache of caches) await cache[Symbol.asyncDispose]();
    },
  };
}

/**
 * Makes all times of the entries in KEYS, and of the pauses after failures, the last of which is the ledger, earlier by
 * ARGV[1] milliseconds, which is as good as waiting. With ARGV[2] = 1, the places in the order too, as if all had been
 * written so much earlier.
 */
const AGE = `
local ms, whole = tonumber(ARGV[1]), ARGV[2] == '1'
local function earlier(t, by) return t > 0 and t < 9e15 and t - by or t end
for i = 1, #KEYS - 1 do
  local key = KEYS[i]
  if redis.call('STRLEN', key) >= 68 then
    local as_of, fresh, stale, failing, token, till = struct.unpack('>dddddd', redis.call('GETRANGE', key, 16, 63))
    redis.call('SETRANGE', key, 16, struct.pack('>dddddd', whole and as_of - ms * 1000 or as_of,
      earlier(fresh, ms), earlier(stale, ms), earlier(failing, ms), token, token > 0 and till or earlier(till, ms)))
    local left = redis.call('PTTL', key)
    if token > 0 then -- its loader keeps it
    elseif left > ms then redis.call('PEXPIRE', key, left - ms) elseif left >= 0 then redis.call('DEL', key) end
  end
end
local records = whole and redis.call('ZRANGE', KEYS[#KEYS], 0, -1, 'WITHSCORES') or {}
for i = 1, #records, 2 do
  local kind, by = string.sub(records[i], 1, 1), ms * 1000
  if kind == 'h' or kind == 's' then by = -by end
  if string.match(kind, '[hspkif]') then
    redis.call('ZADD', KEYS[#KEYS], string.format('%.0f', records[i + 1] + by), records[i])
  end
end`;

/** Connections to a Redis, one for each process. */
export class Connections implements AsyncDisposable {
  readonly batches: readonly Batch[];
  /** That of a process that will not live to see a reply to SCAN. */
  readonly doomed: Batch;

  private constructor(batches: readonly Batch[], doomed: Batch) {
    this.batches = batches;
    this.doomed = doomed;
    const { send } = doomed;
    doomed.send = (name, ...rest) =>
      name === "SCAN" ? Promise.reject(new UnavailableError("scan", "connection")) : send.call(doomed, name, ...rest);
  }

  static async open({ hostname, port }: RedisServer): Promise<Connections> {
    const clients = [-1, 0, 1, 2].map(() => new WireClient({ hostname, port }));
    for (const client of clients) await client.start();
    // Nothing here is about deadlines, and the machine may be busy.
    const batches = clients.map((client) => new Batch(client, { commandTimeout: 10_000 }));
    return new Connections(batches.slice(0, 3), batches[3]!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const batch of [...this.batches, this.doomed]) await batch.close();
  }
}

/** What a Redis is like. */
export interface RedisOptions {
  /** Number of hash slots. */
  buckets?: number;
  /**
   * Whether the order of writes and invalidations ages too. What a process has seen of it does not, so it is replaced
   * each time.
   */
  whole?: boolean;
}

/** Redis, under a namespace of its own. */
export function redis({ batches, doomed }: Connections, name: string, options: RedisOptions = {}): System {
  const { buckets = 1, whole = false } = options;
  const namespace = `soak-${crypto.randomUUID()}`;
  const refused = new Set<string>();
  const open = (batch: Batch) => {
    const store = new RedisStore(batch, { namespace, buckets });
    refuse(store, refused);
    return new Cache(store, OPTIONS);
  };
  const caches = batches.map(open);
  const dead: Cache[] = [];
  const observer = new RedisStore(batches[0]!, { namespace, buckets });
  const started = performance.now();
  const slots = (beside: boolean) =>
    Array.from(
      { length: buckets },
      (_, i) => `{${beside ? `${namespace}.${BESIDE}` : namespace}${buckets === 1 ? "" : `:${i}`}}`,
    );
  const cache = (by: number, beside: boolean) => beside ? caches[by + 1]!.namespace(BESIDE) : caches[by + 1]!;
  const restart = async (by: number) => {
    await caches[by + 1]![Symbol.asyncDispose]();
    caches[by + 1] = open(batches[by + 1]!);
  };
  const send = (command: string, args: (string | number)[]) => batches[0]!.send(command, args);
  return {
    name,
    ages: whole,
    passed: () => performance.now() - started,
    cache,
    advance: async (seconds, keys) => {
      for (const slot of [false, true].flatMap(slots)) {
        const names = [...keys.map((key) => `${slot}:c:${key}`), `${slot}:ledger`];
        await send("EVAL", [AGE, names.length, ...names, seconds * 1000, whole ? 1 : 0]);
      }
      if (whole) { for (const by of [-1, 0, 1]) await restart(by); }
    },
    restart,
    kill: (by) => {
      dead.push(caches[by + 1]!);
      caches[by + 1] = open(batches[by + 1]!);
      return Promise.resolve();
    },
    expire: (keys, beside) => expire(beside ? observer.beside(BESIDE) : observer, keys),
    refused,
    lose: async (what, beside) => {
      if (what === "scripts") await send("SCRIPT", ["FLUSH"]);
      else await send("DEL", slots(beside).map((slot) => `${slot}:ledger`));
    },
    half: async (beside, pattern) => {
      await using dying = open(doomed);
      await (beside ? dying.namespace(BESIDE) : dying).invalidateByPattern(pattern);
    },
    flushed: async (by) => void await batches[by + 1]!.send("PING", []),
    reads: () => 0,
    [Symbol.asyncDispose]: async () => {
      for (const cache of [...caches, ...dead]) await cache[Symbol.asyncDispose]();
      await observer[Symbol.asyncDispose]();
      const keys = await batches[0]!.send("KEYS", [`{${namespace}*`], { text: true }) as string[];
      if (keys.length > 0) await send("UNLINK", keys);
    },
  };
}

/**
 * Redis, with copies in the process. There is one process, since others may be a second behind, and it stays from one
 * sequence to the next, since it takes a while until it is in touch.
 */
export class Copies implements AsyncDisposable {
  readonly #batch: Batch;
  readonly #cache: Cache;
  readonly #observer: Cache;
  readonly #refused = new Set<string>();
  #reads = 0;

  constructor({ batches }: Connections) {
    const namespace = `soak-${crypto.randomUUID()}`;
    this.#batch = batches[1]!;
    const store = new RedisStore(this.#batch, { namespace });
    refuse(store, this.#refused);
    for (const each of [store, store.beside(BESIDE)]) {
      const read = each.read.bind(each);
      each.read = (...args) => {
        this.#reads++;
        return read(...args);
      };
    }
    this.#cache = new Cache(store, { ...OPTIONS, local: true });
    this.#observer = new Cache(new RedisStore(batches[0]!, { namespace }), OPTIONS);
  }

  /** The cache, emptied. */
  async system(): Promise<System> {
    const started = performance.now();
    for (const cache of [this.#cache, this.#cache.namespace(BESIDE)]) await cache.clear();
    return {
      name: "redis with copies",
      ages: true,
      passed: () => performance.now() - started,
      cache: (by, beside) => {
        const cache = by < 0 ? this.#observer : this.#cache;
        return beside ? cache.namespace(BESIDE) : cache;
      },
      advance: () => Promise.reject(new Error("Cannot let time pass for copies")),
      restart: () => Promise.reject(new Error("Cannot restart")),
      kill: () => Promise.reject(new Error("Cannot be killed")),
      expire: () => Promise.reject(new Error("Cannot expire")),
      refused: this.#refused,
      lose: () => Promise.reject(new Error("Cannot lose")),
      half: () => Promise.reject(new Error("Cannot die")),
      flushed: async () => void await this.#batch.send("PING", []),
      reads: () => this.#reads,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#observer[Symbol.asyncDispose]();
    await this.#cache[Symbol.asyncDispose]();
  }
}
