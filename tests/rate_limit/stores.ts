import { Batch } from "../../src/redis/batch.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import { RedisLimitStore } from "../../src/rate_limit/redis/store.ts";
import { ALGORITHM_NAMES } from "../../src/rate_limit/algorithms/registry.ts";
import type { Algorithm, LimitStore, Rule } from "../../src/rate_limit/store.ts";
import type { LarderEvent } from "../../src/observe/events.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import {
  type ContractServer,
  ON_MEMORY,
  ON_REDIS,
  openForContract,
  startContractServer,
} from "../support/contract_target.ts";

/** A clock that goes where it is told, backwards too, in milliseconds and thousandths of them. */
export class TestClock {
  #time = 1_700_000_000_000;
  readonly now = (): number => this.#time;
  pass(milliseconds: number): void {
    this.#time += milliseconds;
  }
}

/** A store on a clock that stands still, and what is beside it. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: LimitStore;
  readonly clock: TestClock;
}

/** The embedded store. */
export function openMemory(): Promise<StoreUnderTest> {
  const clock = new TestClock();
  const store = new MemoryLimitStore({ now: clock.now });
  return Promise.resolve({ store, clock, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() });
}

/** One on a server, in a namespace of its own, whose script is told the time. */
export async function openRedis(
  server: Pick<ContractServer, "hostname" | "port">,
  options: { buckets?: number } = {},
): Promise<StoreUnderTest> {
  const clock = new TestClock();
  const { client, start, close } = await openForContract(server);
  // Nothing here is about deadlines, and the machine may be busy.
  const batch = new Batch(client, { commandTimeout: 10_000 });
  const store = new RedisLimitStore(batch, {
    namespace: `limits-${crypto.randomUUID()}`,
    timeout: 10_000,
    now: () => Math.round(clock.now() * 1000),
    ...options,
  });
  await start?.();
  return {
    store,
    clock,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await batch.close();
      await close();
    },
  };
}

/** A rule, of which only what matters is said. */
export function rule(given: Partial<Rule> & Pick<Rule, "algorithm">): Rule {
  const { name = "TEST", limit = 5, window = 1000, burst = limit } = given;
  return { name, algorithm: given.algorithm, limit, window, burst };
}

/** All algorithms. */
export const ALGORITHMS: readonly Algorithm[] = ALGORITHM_NAMES;

/** A limiter on a store whose clock stands still. */
export interface LimiterUnderTest {
  readonly limiter: RateLimiter<string>;
  readonly clock: TestClock;
  readonly events: LarderEvent[];
}

/** Runs each case on both stores, each with data of its own. */
export async function onBothStores(
  t: Deno.TestContext,
  cases: Readonly<Record<string, (test: LimiterUnderTest) => Promise<void>>>,
): Promise<void> {
  await using server = ON_REDIS ? await startContractServer() : undefined;
  const stores = { ...(ON_MEMORY && { memory: openMemory }), ...(server && { redis: () => openRedis(server) }) };
  for (const [kind, open] of Object.entries(stores)) {
    for (const [name, run] of Object.entries(cases)) {
      await t.step(`${kind}: ${name}`, async () => {
        await using opened = await open();
        const events: LarderEvent[] = [];
        // Time passes in the store alone: what this process remembers is tested by itself.
        const limiter = new RateLimiter<string>(opened.store, { maxDenials: 0 }, (event) => events.push(event));
        await run({ limiter, clock: opened.clock, events });
      });
    }
  }
}
