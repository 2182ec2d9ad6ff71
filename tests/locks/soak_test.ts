/**
 * Locks under faults: some processes do at random what can be done with locks, while connections are cut, freeze and
 * are slow, and the server stops and forgets scripts. Whatever happens, a place has one holder that believes so, later
 * numbers are larger, and nothing is left at the end. `SOAK_SEED` begins elsewhere, `SOAK_SECONDS` goes on for longer.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { connect, type Larder, type Lock, LockTimeoutError, UnavailableError } from "../../mod.ts";
import { TcpProxy } from "../support/proxy.ts";
import { dice } from "../support/random.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? 4);
const SEED = Number(Deno.env.get("SOAK_SEED") ?? 20_251_128);
const PROCESSES = 3;
const CALLERS = 4;
/** How many may hold what. */
const PERMITS: Readonly<Record<string, number>> = { one: 1, two: 1, places: 2 };

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** What is known of all processes. */
class Judge {
  readonly figures = { acquired: 0, timedOut: 0, unavailable: 0, aborted: 0, lost: 0, faults: 0 };
  readonly #given = new Map<string, Lock[]>();
  readonly #newest = new Map<string, number>();

  /** A place was given: as many as may hold it believe so, and its number is new. */
  given(name: string, lock: Lock): void {
    this.figures.acquired++;
    const others = this.#given.get(name) ?? [];
    const all = [...others, lock].filter(({ held }) => held);
    assert(all.length <= PERMITS[name]!, `${all.length} hold "${name}": ${all.map(({ token }) => token)}`);
    if (PERMITS[name] === 1 && lock.held) {
      assert(lock.token > (this.#newest.get(name) ?? 0), `the number of "${name}" does not grow`);
      this.#newest.set(name, lock.token);
    }
    this.#given.set(name, [...others.filter(({ held }) => held), lock]);
    lock.signal.addEventListener("abort", () => this.figures.lost++);
  }
}

/** One caller of one process. */
async function call({ locks }: Larder, judge: Judge, roll: (below: number) => number, end: number): Promise<void> {
  while (performance.now() < end) {
    const name = Object.keys(PERMITS)[roll(3)]!;
    const [ttl, wait] = [`${200 + roll(800)}ms`, `${roll(1500)}ms`];
    const [how, work, leave] = [roll(4), roll(3) === 0 ? roll(400) : roll(20), roll(600)];
    const signal = how === 3 ? AbortSignal.timeout(leave) : undefined;
    try {
      const job = async (lock: Lock) => {
        judge.given(name, lock);
        await sleep(work);
      };
      const semaphore = locks.semaphore(name, { permits: PERMITS[name]!, ttl, wait });
      const one = PERMITS[name] === 1;
      if (how === 0) await (one ? locks.withLock(name, { ttl, wait }, job) : semaphore.withPermit(job));
      else {
        const lock = how === 1
          ? await (one ? locks.tryAcquire(name, { ttl }) : semaphore.tryAcquire({ ttl }))
          : await (one ? locks.acquire(name, { ttl, wait, signal }) : semaphore.acquire({ ttl, wait, signal }));
        if (lock) await job(lock).finally(() => lock.release());
      }
    } catch (error) {
      if (error instanceof LockTimeoutError) judge.figures.timedOut++;
      else if (error instanceof UnavailableError) judge.figures.unavailable++;
      else if (signal?.aborted && error === signal.reason) judge.figures.aborted++;
      else throw error;
    }
    await sleep(roll(10));
  }
}

/** What goes wrong meanwhile. */
async function breakThings(server: RedisServer, proxies: TcpProxy[], judge: Judge, roll: (below: number) => number) {
  const proxy = proxies[roll(proxies.length)]!;
  const span = 50 + roll(roll(4) === 0 ? 1500 : 400);
  judge.figures.faults++;
  switch (roll(6)) {
    case 0:
      return proxy.cut();
    case 1:
      proxy.freeze();
      await sleep(span);
      proxy.thaw();
      return proxy.cut(); // such a connection is out of step
    case 2:
      proxy.delay = 1 + roll(30);
      await sleep(span);
      proxy.delay = 0;
      return;
    case 3:
      await server.pause();
      await sleep(span);
      return await server.resume();
    case 4:
      return void await server.cli("SCRIPT", "FLUSH");
    default:
      return void await server.cli("CLIENT", "KILL", "TYPE", roll(2) ? "pubsub" : "normal", "SKIPME", "yes");
  }
}

Deno.test({
  name: "Locks hold their word while everything breaks",
  ignore: !RedisServer.controllable,
  async fn() {
    // deno-lint-ignore no-console -- what it takes to run it again
    console.log(`soak of locks: seed ${SEED}, ${SECONDS} s`);
    const roll = dice(SEED);
    const judge = new Judge();
    await using server = await RedisServer.start();
    const proxies = Array.from({ length: PROCESSES }, () => TcpProxy.start(server));
    const processes = await Promise.all(proxies.map(async ({ url }) => {
      const redis = await connect({ url, namespace: "soak", commandTimeout: "300ms", on: () => {} });
      await redis.ready({ timeout: "20s" });
      return redis;
    }));
    try {
      const end = performance.now() + SECONDS * 1000;
      const calls = Promise.all(
        processes.flatMap((redis) =>
          Array.from({ length: CALLERS }, () => call(redis, judge, dice(roll(2 ** 31)), end))
        ),
      );
      const ended = calls.then(() => {}, () => {});
      for (let going = true; going;) {
        await breakThings(server, proxies, judge, roll);
        const pause = Promise.withResolvers<boolean>();
        const timer = setTimeout(() => pause.resolve(performance.now() < end), 50 + roll(400));
        going = await Promise.race([pause.promise, ended.then(() => false)]);
        clearTimeout(timer);
      }
      await calls;
      await until(async () => (await server.cli("KEYS", "*:lock*") as string[]).length === 0, "nothing is left");
      for (const { locks } of processes) {
        const { held, waiting } = locks.stats();
        assertEquals({ held, waiting }, { held: 0, waiting: 0 });
      }
    } finally {
      await Promise.all(processes.map((redis) => redis.close()));
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    }
    // deno-lint-ignore no-console -- how much was judged
    console.log(`soak of locks: ${JSON.stringify(judge.figures)}`);
    assert(judge.figures.acquired > 5 * SECONDS, "hardly a lock was acquired");
  },
});
