import { type EventListener, safeListener } from "../../src/observe/events.ts";
import { Batch } from "../../src/redis/batch.ts";
import type { RedisClient } from "../../src/redis/client.ts";
import { MemorySessionStore } from "../../src/sessions/memory_store.ts";
import type { SessionsOptions } from "../../src/sessions/options.ts";
import { RedisSessionStore } from "../../src/sessions/redis/store.ts";
import { touchEveryOf } from "../../src/sessions/resolve_options.ts";
import { Sessions } from "../../src/sessions/sessions.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { type ContractServer, openForContract } from "../support/contract_target.ts";

/** Where the sessions under test are kept, and the means to let time pass there. */
export interface SessionHarness extends AsyncDisposable {
  readonly kind: "memory" | "redis";
  /** Opens sessions on the same data, as one more process would. */
  readonly open: (options?: SessionsOptions, on?: EventListener) => Promise<Sessions>;
  /** Lets so many milliseconds pass for all that is stored. */
  readonly advance: (milliseconds: number) => Promise<void>;
  /** How many sessions, indexes and other records are kept. */
  readonly size: () => Promise<number>;
}

/** A case of the suite. */
export type SessionCase = (harness: SessionHarness) => Promise<void>;

/** The embedded store on a clock that stands still. Other "processes" share the one store. */
export class MemorySessionHarness implements SessionHarness {
  readonly kind = "memory" as const;
  readonly #clock = new ManualClock();
  #store: MemorySessionStore | undefined;

  readonly open = (options: SessionsOptions = {}, on?: EventListener): Promise<Sessions> => {
    const { touchEvery: _, ...rest } = options;
    this.#store ??= new MemorySessionStore({ now: this.#clock.now, touchEvery: touchEveryOf(options) });
    return Promise.resolve(new Sessions(this.#store, rest, on));
  };

  readonly advance = (milliseconds: number): Promise<void> => {
    this.#clock.advance(`${milliseconds}ms`);
    return Promise.resolve();
  };

  readonly size = (): Promise<number> => Promise.resolve(this.#store?.size ?? 0);

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store?.[Symbol.asyncDispose]();
  }
}

/** Makes all times in KEYS earlier by ARGV[1] milliseconds, which is as good as waiting. */
const AGE = `
local ms = tonumber(ARGV[1])
local function int(n) return string.format('%.0f', n) end
for _, key in ipairs(KEYS) do
  if string.sub(key, -2) == 'sl' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      local score = tonumber(redis.call('ZSCORE', key, member))
      local by = member == 'x' and ms or ms * 1000
      if score ~= -math.huge then redis.call('ZADD', key, int(score < 0 and score + by or score - by), member) end
    end
  elseif redis.call('TYPE', key).ok == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      redis.call('ZINCRBY', key, -ms, member)
    end
  else
    local m, v, born, created, seen, last, idle, version = struct.unpack('>BBdddddd', redis.call('HGET', key, 'm'))
    redis.call('HSET', key, 'm', struct.pack('>BBdddddd', m, v, born - ms * 1000, created - ms, seen - ms,
      last > 0 and last - ms or 0, idle, version))
  end
  local left = redis.call('PTTL', key)
  if left > ms then redis.call('PEXPIRE', key, left - ms) elseif left >= 0 then redis.call('DEL', key) end
end`;

/** What is needed of a server. */
type ServerOfHarness = Pick<ContractServer, "hostname" | "port" | "cli">;

/** A namespace of its own on a Redis server. All sessions that are opened have a connection of their own. */
export class RedisSessionHarness implements SessionHarness {
  readonly kind = "redis" as const;
  readonly namespace: string = `sessions-${crypto.randomUUID()}`;
  readonly #server: ServerOfHarness;
  readonly #buckets: number;
  readonly #opened: { batch: Batch; close(): unknown }[] = [];

  constructor(server: ServerOfHarness, options: { buckets?: number } = {}) {
    this.#server = server;
    this.#buckets = options.buckets ?? 1;
  }

  readonly open = async (options: SessionsOptions = {}, on?: EventListener): Promise<Sessions> => {
    return await this.openOn((client) => client, options, on);
  };

  /** Opens sessions with something between them and the server. */
  async openOn(
    wrap: (client: RedisClient) => RedisClient,
    options: SessionsOptions = {},
    on?: EventListener,
  ): Promise<Sessions> {
    const { client, start, close } = await openForContract(this.#server);
    // Nothing here is about deadlines, and the machine may be busy.
    const batch = new Batch(wrap(client), { commandTimeout: 10_000, on: safeListener(on) });
    this.#opened.push({ batch, close });
    await start?.();
    const { touchEvery: _, ...rest } = options;
    const store = new RedisSessionStore(batch, {
      namespace: this.namespace,
      buckets: this.#buckets,
      touchEvery: touchEveryOf(options),
    });
    return new Sessions(store, rest, on);
  }

  readonly advance = async (milliseconds: number): Promise<void> => {
    const keys = await this.keys();
    if (keys.length > 0) await this.#server.cli("EVAL", AGE, keys.length, ...keys, milliseconds);
  };

  readonly size = async (): Promise<number> => (await this.keys()).length;

  /** The keys in Redis. */
  async keys(): Promise<string[]> {
    return await this.#server.cli("KEYS", `{${this.namespace}*`) as string[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { batch, close } of this.#opened) {
      await batch.close();
      await close();
    }
  }
}
