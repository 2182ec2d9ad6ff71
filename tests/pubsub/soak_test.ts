/**
 * Channels under faults: some processes publish and listen at random, by channels, patterns and sharded channels, while
 * connections are cut and freeze and the server restarts. Whatever happens, a message that is missing has a gap in
 * front of it, there are no more gaps than losses of touch, and nothing is left at the end. `SOAK_SEED` begins
 * elsewhere, `SOAK_SECONDS` goes on for longer.
 *
 * @module
 */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { connect, type Larder, type PatternItem } from "../../mod.ts";
import { TcpProxy } from "../support/proxy.ts";
import { dice } from "../support/random.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? 3);
const SEED = Number(Deno.env.get("SOAK_SEED") ?? 20_261_129);
const NAMES = ["a:1", "a:2", "b:1"];
const KINDS = ["channel", "pattern", "sharded"] as const;

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** What is published: who did, and which of his it is on that channel. */
interface Message {
  readonly source: string;
  readonly sequence: number;
}

/** A process, what it lost, and what it was told. */
class Process {
  readonly proxy: TcpProxy;
  readonly redis: Larder;
  /** How often touch may have been lost. */
  losses = 0;
  received = 0;
  readonly #sources = new Map<string, { source: string; sequence: number }>();
  readonly #judge: Judge;

  constructor(proxy: TcpProxy, redis: Larder, judge: Judge) {
    this.proxy = proxy;
    this.redis = redis;
    this.#judge = judge;
  }

  async publish(name: string, sharded: boolean): Promise<void> {
    const key = `${name} ${sharded}`;
    const mine = this.#sources.get(key) ?? { source: crypto.randomUUID(), sequence: 0 };
    this.#sources.set(key, mine);
    const message = { source: mine.source, sequence: ++mine.sequence };
    try {
      await this.redis.pubsub.channel<Message>(name, { sharded }).publish(message);
    } catch {
      this.#judge.unsure.add(nameOf(message)); // it may have gone out or not
    }
  }

  /** Listens until the signal, and finds out whether something is missing where no gap is. */
  async listen(kind: typeof KINDS[number], name: string, signal: AbortSignal): Promise<void> {
    const { pubsub } = this.redis;
    const subscription: AsyncIterable<PatternItem<Message>> = kind === "pattern"
      ? pubsub.pattern<Message>(`${name[0]}:*`).subscribe({ signal, buffer: 100_000 })
      : pubsub.channel<Message>(name, { sharded: kind === "sharded" }).subscribe({ signal, buffer: 100_000 });
    const last = new Map<string, number>();
    for await (const { value, gap, channel } of subscription) {
      if (gap) last.clear();
      if (!value) continue;
      this.received++;
      const { source, sequence } = value;
      const before = last.get(source) ?? sequence - 1;
      const what = `${kind} ${channel ?? name}: ${sequence} after ${before}, and no gap`;
      if (sequence !== before + 1) this.#judge.missing.push({ source, first: before + 1, last: sequence - 1, what });
      last.set(source, sequence);
    }
  }
}

/** Messages that were missing without a gap, and those that may not have been sent. */
class Judge {
  readonly missing: { source: string; first: number; last: number; what: string }[] = [];
  readonly unsure = new Set<string>();

  /** What was missed in silence. */
  verdict(): string[] {
    return this.missing.filter(({ source, first, last }) => {
      if (last < first) return true; // twice, or out of order
      for (let sequence = first; sequence <= last; sequence++) {
        if (!this.unsure.has(nameOf({ source, sequence }))) return true;
      }
      return false;
    }).map(({ what }) => what);
  }
}

function nameOf({ source, sequence }: Message): string {
  return `${source} ${sequence}`;
}

Deno.test({
  name: `channels under faults for ${SECONDS} s, seed ${SEED}: what is missing is told, and nothing else`,
  ignore: !RedisServer.controllable,
  async fn() {
    const roll = dice(SEED);
    await using server = await RedisServer.start();
    await using calm = TcpProxy.start(server);
    await using first = TcpProxy.start(server);
    await using second = TcpProxy.start(server);
    const judge = new Judge();
    const open = async (proxy: TcpProxy) => {
      const options = { namespace: "soak", commandTimeout: "2s", heartbeat: "100ms", on: () => {} };
      return new Process(proxy, await connect({ url: proxy.url, ...options }), judge);
    };
    const processes = await Promise.all([calm, first, second].map(open)) as [Process, Process, Process];
    const stop = new AbortController();
    const loops: Promise<void>[] = [];
    const subscriptions = KINDS.length * NAMES.length;
    const end = performance.now() + SECONDS * 1000;
    let faults = 0;
    try {
      for (const process of processes) {
        for (const kind of KINDS) for (const name of NAMES) loops.push(process.listen(kind, name, stop.signal));
      }
      const publishers = processes.map(async (process, i) => {
        const mine = dice(SEED + i + 1);
        while (performance.now() < end) {
          const burst = Array.from({ length: 1 + mine(20) }, () => process.publish(NAMES[mine(3)]!, mine(2) === 0));
          await Promise.all(burst);
          await sleep(mine(5));
        }
      });
      // Some come and go all the time; leaving must not disturb who stays.
      const guests = (async () => {
        const mine = dice(SEED + 9);
        while (performance.now() < end) {
          const leave = new AbortController();
          const guest = processes[mine(3)]!.listen(KINDS[mine(3)]!, NAMES[mine(3)]!, leave.signal);
          await sleep(mine(60));
          leave.abort();
          await guest;
        }
      })();
      while (performance.now() < end) {
        await sleep(50 + roll(200));
        const process = processes[1 + roll(2)]!;
        faults++;
        switch (roll(8)) {
          case 0:
            for (const each of processes) each.losses++;
            await server.restart();
            break;
          case 1:
          case 2:
            process.losses += 3;
            process.proxy.freeze();
            await sleep(roll(1500));
            process.proxy.thaw();
            process.proxy.cut();
            break;
          case 3:
            for (const each of processes) each.losses++;
            await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
            break;
          default:
            process.losses++;
            process.proxy.cut();
        }
      }
      await Promise.all([...publishers, guests]);
      // Touch comes back to all, and they go on.
      for (const process of processes) {
        const { received } = process;
        await until(async () => {
          await process.publish("a:1", false);
          return process.received > received;
        }, "it goes on");
      }
    } finally {
      stop.abort();
      await Promise.all(loops).finally(async () => {
        for (const { redis } of processes) await redis.close();
      });
    }
    for (const { redis, losses } of processes) {
      const { gaps, waiting, subscriptions: left, dropped, refused } = redis.pubsub.stats();
      assertEquals([waiting, left, dropped, refused], [0, 0, 0, 0]);
      assertLessOrEqual(gaps, losses * (subscriptions + 1), `${faults} faults`);
    }
    assertEquals(judge.verdict(), []);
    const figures = { faults, received: processes.map(({ received }) => received) };
    assert(faults > 1 && figures.received.every((received) => received > 100), JSON.stringify(figures));
    await until(
      async () => String(await server.cli("CLIENT", "LIST", "TYPE", "pubsub")).trim() === "",
      "nothing is left",
    );
  },
});
