/**
 * Streams and a channel under faults: processes add, handle and listen at random while connections are cut, fall
 * silent and refuse, and the server is stopped, killed and started again. Whatever happens, each message whose `add()`
 * was answered is handled, in the order of its key, none is told as missing, and what a channel misses has a gap in
 * front of it. `SOAK_SEED` begins elsewhere, `SOAK_SECONDS` goes on for longer.
 *
 * @module
 */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { connect, type Larder, type StreamWorker } from "../../mod.ts";
import { sized } from "../support/effort.ts";
import { TcpProxy } from "../support/proxy.ts";
import { dice } from "../support/random.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? sized(4, 60));
const SEED = Number(Deno.env.get("SOAK_SEED") ?? 20_261_129);
const KEYS = 8;
/** Milliseconds: longer than some silences, and shorter than others. */
const LEASE = 1000;
/** How much longer where the machine has so much else to do that little was judged, in milliseconds. */
const PATIENCE = 60_000;

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** One of the messages of a key. */
interface Job {
  readonly key: string;
  readonly n: number;
}

/** What came of the messages, and what was wrong. */
class Judge {
  readonly wrong: string[] = [];
  readonly added = new Map<string, number>();
  readonly begun = new Map<string, number>();
  readonly done = new Map<string, number>();
  twice = 0;

  begin({ key, n }: Job): void {
    const last = this.begun.get(key) ?? -1;
    if (n === last) this.twice++;
    else if (n !== last + 1) this.wrong.push(`${key}: ${n} begins after ${last}`);
    else if ((this.done.get(key) ?? -1) !== last) this.wrong.push(`${key}: ${n} begins before ${last} was handled`);
    this.begun.set(key, n);
  }

  end({ key, n }: Job): void {
    this.done.set(key, Math.max(n, this.done.get(key) ?? -1));
  }

  /** Whether all that was added is handled. */
  get even(): boolean {
    return [...this.added].every(([key, n]) => this.done.get(key) === n);
  }
}

/** A process, on a connection of its own. */
class Process {
  readonly redis: Larder;
  readonly proxy: TcpProxy;
  #worker: StreamWorker | undefined;
  /** How often touch may have been lost. */
  losses = 0;
  heard = 0;

  constructor(redis: Larder, proxy: TcpProxy) {
    this.redis = redis;
    this.proxy = proxy;
  }

  /** Begins to handle messages, if it does not yet; one of ten attempts fails. */
  work(judge: Judge, roll: (below: number) => number): void {
    const options = { lease: `${LEASE}ms`, concurrency: 3, retryDelay: "5ms", maxAttempts: 1000 };
    const jobs = this.redis.streams.stream<Job>("jobs");
    this.#worker ??= jobs.consume("workers", options, async ({ value }) => {
      judge.begin(value);
      if (roll(4) === 0) await sleep(roll(4));
      if (roll(10) === 0) throw new Error("busy");
      judge.end(value);
    });
  }

  async rest(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.shutdown();
  }

  /** Listens to the channel, on which numbers grow, until the signal. */
  async listen(judge: Judge, published: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    let last: number | undefined;
    for await (const { value, gap } of this.redis.pubsub.channel<number>("ticks").subscribe({ signal })) {
      if (gap) last = undefined;
      if (value === undefined) continue;
      this.heard++;
      for (let n = last ?? value; ++n < value;) {
        if (published.has(n)) judge.wrong.push(`channel: ${n} is missing, and no gap`);
      }
      if (last === undefined || value > last) last = value;
      // One whose answer was lost may go out later.
      else if (published.has(value)) judge.wrong.push(`channel: ${value} after ${last}`);
    }
  }
}

Deno.test({
  name:
    `streams and a channel under faults for ${SECONDS} s, seed ${SEED}: all is handled, in order, and gaps are told`,
  ignore: !RedisServer.controllable || Deno.build.os === "windows",
  async fn() {
    const roll = dice(SEED);
    await using server = await RedisServer.start({ config: { appendonly: "yes", appendfsync: "always" } });
    await using calm = TcpProxy.start(server);
    await using first = TcpProxy.start(server);
    await using second = TcpProxy.start(server);
    const judge = new Judge();
    const open = async (proxy: TcpProxy) => {
      const options = { namespace: "soak", commandTimeout: "1s", heartbeat: "100ms", on: () => {} };
      return new Process(await connect({ url: proxy.url, ...options }), proxy);
    };
    const processes = await Promise.all([calm, first, second].map(open)) as [Process, Process, Process];
    const stop = new AbortController();
    const published = new Set<number>();
    const listening = processes.map((process) => process.listen(judge, published, stop.signal));
    let [faults, ticks] = [0, 0];
    const added = () => [...judge.added.values()].reduce((sum, n) => sum + n + 1, 0);
    const end = performance.now() + SECONDS * 1000;
    // A machine that has much else to do gets as far in its own time.
    const isOver = () =>
      performance.now() >= end && (performance.now() > end + PATIENCE || faults > 1 && added() > 100);
    try {
      for (const [i, process] of processes.entries()) process.work(judge, dice(SEED + i));
      // Each key has one who adds to it, until that is answered, under an id, since an answer may be lost.
      const adding = Array.from({ length: KEYS }, async (_, k) => {
        const mine = dice(SEED + 100 + k);
        const key = `k${k}`;
        for (let n = 0; !isOver(); n++) {
          for (let added = false; !added;) {
            const jobs = processes[mine(3)]!.redis.streams.stream<Job>("jobs");
            added = await jobs.add({ key, n }, { key, id: `${key}:${n}` }).then(() => true, () => sleep(10)) === true;
          }
          judge.added.set(key, n);
          if (mine(5) === 0) await sleep(mine(8));
        }
      });
      const publishing = (async () => {
        const channel = processes[0].redis.pubsub.channel<number>("ticks");
        while (!isOver()) {
          const n = ++ticks;
          await channel.publish(n).then((reached) => reached > 0 && published.add(n), () => {});
          if (n % 20 === 0) await sleep(1);
        }
      })();
      while (!isOver()) {
        await sleep(50 + roll(250));
        const i = 1 + roll(2);
        const process = processes[i]!;
        faults++;
        switch (roll(8)) {
          case 0: // killed
            for (const each of processes) each.losses += 2;
            await server.kill();
            await sleep(roll(200));
            await server.restart();
            break;
          case 1: // stopped, so that all connections hang
            for (const each of processes) each.losses += 3;
            await server.pause();
            await sleep(roll(1500));
            await server.resume();
            break;
          case 2: // silent
            process.losses += 3;
            process.proxy.freeze();
            await sleep(roll(2 * LEASE));
            process.proxy.thaw();
            process.proxy.cut();
            break;
          case 3: // a line that hangs for a moment, and nothing is lost
            process.losses += 3;
            process.proxy.delay = roll(LEASE);
            await sleep(roll(LEASE));
            process.proxy.delay = 0;
            break;
          case 4: // a consumer leaves, and comes back
            await Promise.all([process.rest(), sleep(roll(50))]);
            process.work(judge, dice(SEED + faults));
            break;
          case 5:
            for (const each of processes) each.losses++;
            await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
            break;
          default:
            process.losses++;
            process.proxy.cut();
        }
      }
      await Promise.all([...adding, publishing]);
      for (let handled = -1, now = 0; !judge.even && judge.wrong.length === 0; handled = now) {
        await until(() => {
          now = [...judge.done.values()].reduce((sum, n) => sum + n, 0);
          return now > handled || judge.even;
        }, "the rest is handled");
      }
      assertEquals(judge.wrong.slice(0, 10), []);
      const jobs = processes[0].redis.streams.stream<Job>("jobs");
      await until(async () => (await jobs.pending("workers")).length === 0, "all are acknowledged");
      const { length, dead } = await jobs.info();
      assertEquals([length, dead], [added(), 0]); // none was added twice
      // Touch comes back to all.
      for (const process of processes) {
        const { heard } = process;
        await until(async () => {
          await processes[0].redis.pubsub.channel("ticks").publish(++ticks).catch(() => {});
          return process.heard > heard;
        }, "it hears again");
      }
      const figures = { faults, added: added(), twice: judge.twice, heard: processes.map(({ heard }) => heard) };
      assert(faults > 1 && added() > 100, JSON.stringify(figures));
      // deno-lint-ignore no-console -- the figures are what it is run for at full size
      if (Deno.env.has("TEST_EFFORT") || Deno.env.has("SOAK_SECONDS")) console.log(JSON.stringify(figures));
    } finally {
      stop.abort();
      await Promise.all(listening);
      for (const process of processes) await process.rest();
      for (const { redis } of processes) await redis.close();
    }
    for (const { redis, losses } of processes) {
      assertEquals(redis.streams.stats().gaps, 0);
      assertEquals([redis.streams.stats().consumers, redis.pubsub.stats().subscriptions], [0, 0]);
      assertLessOrEqual(redis.pubsub.stats().gaps, losses, `${faults} faults`);
    }
    assertEquals(judge.wrong.slice(0, 10), []);
  },
});
