import { assertEquals, assertGreater } from "@std/assert";
import { connect, type Stream } from "../../mod.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { sized } from "../support/effort.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const SCRIPT = import.meta.resolve("./worker.ts");
/** With `TEST_EFFORT=10` as many as are wanted of it: 100,000. */
const MESSAGES = sized(2000, 100_000);
const KEYS = sized(20, 1000);
const EACH = MESSAGES / KEYS;

type Job = { key: string; n: number; pause?: number };
type Handled = [key: string, n: number, began: number, ended: number, aborted: boolean];

/** A process that handles, and what it has told. */
class Handler implements AsyncDisposable {
  readonly #process: DenoProcess;
  readonly #reading: Promise<void>;
  readonly lines: unknown[] = [];

  constructor(url: string, handled: (line: Handled) => void, lease = "1s", concurrency = 16) {
    const process = this.#process = DenoProcess.start(SCRIPT, url, lease, String(concurrency));
    this.#reading = (async () => {
      for (;;) {
        const line = await process.receive<unknown>();
        if (Array.isArray(line)) handled(line as Handled);
        else this.lines.push(line);
      }
    })().catch(() => {}); // it has ended
  }

  signal(signal: Deno.Signal): void {
    this.#process.signal(signal);
  }

  async end(): Promise<void> {
    await this.#process.send("end");
    await this.#reading;
  }

  async kill(): Promise<void> {
    await this.#process.kill();
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#process[Symbol.asyncDispose]();
  }
}

/** Adds until it is acknowledged, as the app does that must not lose it. */
async function add(jobs: Stream<Job>, job: Job): Promise<void> {
  for (;;) {
    try {
      return void await jobs.add(job, { key: job.key, id: `${job.key}:${job.n}` });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

Deno.test({
  name: "every message is handled, in the order of its key, though consumers and the server are killed",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start({ config: { appendonly: "yes", appendfsync: "always" } });
    const redis = await connect({ url: server.url, namespace: "jobs", commandTimeout: "2s", on: () => {} });
    const jobs = redis.streams.stream<Job>("jobs");
    const handled: Handled[] = [];
    let [added, kills, restarts] = [0, 0, 0];
    const distinct = new Set<string>();
    const note = (line: Handled) => (handled.push(line), void distinct.add(`${line[0]}:${line[1]}`));
    /** Waits until so many are handled, however long that takes as long as it goes on. */
    const progress = async (wanted: number) => {
      while (distinct.size < wanted) {
        const last = distinct.size;
        await until(() => distinct.size > last, `more than ${last} of ${MESSAGES} are handled, ${added} being added`);
      }
    };
    const start = () => new Handler(server.url, note);
    const handlers = [start(), start(), start()];
    await until(() => handlers.every(({ lines }) => lines.includes("ready")), "all are ready");
    const began = performance.now();
    const producing = Promise.all(Array.from({ length: KEYS }, async (_, k) => {
      for (let n = 0; n < EACH; n++) {
        await add(jobs, { key: `k${k}`, n });
        added++;
      }
    }));
    for (const share of [0.2, 0.4, 0.6, 0.8]) {
      await progress(share * MESSAGES);
      const i = kills++ % 3;
      await handlers[i]!.kill();
      await handlers[i]![Symbol.asyncDispose]();
      handlers[i] = start();
      if (share === 0.4 || share === 0.8) {
        await server.kill();
        // At full size it reads its file for longer than a start may take.
        await server.restart().catch(() =>
          until(() => server.cli("PING").catch(() => {}), "the server has read its file")
        );
        restarts++;
      }
    }
    await producing;
    await progress(MESSAGES);
    const seconds = (performance.now() - began) / 1000;
    await until(async () => (await jobs.pending("workers")).length === 0, "all are acknowledged");
    for (const handler of handlers) await handler.end();
    for (const handler of handlers) await handler[Symbol.asyncDispose]();

    const wrong: string[] = [];
    for (const [key, lines] of Map.groupBy(handled, ([key]) => key)) {
      lines.sort((a, b) => a[2] - b[2] || a[1] - b[1]);
      let [last, ended] = [-1, 0];
      for (const [, n, began, end] of lines) {
        // One that was not acknowledged before its consumer died comes once more, and nothing else does.
        if (n !== last && n !== last + 1) wrong.push(`${key}: ${n} after ${last}`);
        if (began < ended) wrong.push(`${key}: ${n} beside ${last}`);
        [last, ended] = [n, Math.max(ended, end)];
      }
      if (last !== EACH - 1) wrong.push(`${key} ends with ${last}`);
    }
    assertEquals(wrong.slice(0, 10), []);
    assertEquals(added, MESSAGES);
    assertEquals((await jobs.info()).length, MESSAGES); // none was added twice
    assertGreater(restarts, 0);
    const twice = handled.length - MESSAGES;
    // deno-lint-ignore no-console -- the figures are what it is run for at full size
    console.log(
      `${MESSAGES} messages, ${kills} consumers and ${restarts} times the server killed: ` +
        `${twice} handled twice, ${Math.round(MESSAGES / seconds)} a second`,
    );
    await redis.close();
  },
});

Deno.test({
  name: "a consumer that was stopped for longer than its lease loses its messages, and knows it when it goes on",
  ignore: Deno.build.os === "windows" || !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start();
    await using redis = await connect({ url: server.url, namespace: "jobs", on: () => {} });
    const jobs = redis.streams.stream<Job>("jobs");
    const handled: Handled[] = [];
    await using handler = new Handler(server.url, (line) => handled.push(line), "500ms", 4);
    await jobs.add({ key: "k", n: 1, pause: 60_000 }, { key: "k" });
    await jobs.add({ key: "k", n: 2 }, { key: "k" });
    await until(() => handler.lines.length === 2, "it has begun");
    handler.signal("SIGSTOP");
    const seen: [number, number][] = [];
    for await (const item of jobs.consume("workers", { lease: "500ms" })) {
      seen.push([item.value!.n, item.attempt]);
      assertEquals(await item.ack(), true);
      if (seen.length === 2) break;
    }
    assertEquals(seen.map(([n]) => n), [1, 2]);
    assertEquals(seen[0]![1], 2);
    handler.signal("SIGCONT");
    await until(() => handled.length > 0, "it goes on");
    await handler.end();
    // What it was at work with ends; what waited behind it does not begin.
    assertEquals(handled.map(([, n]) => n), [1]);
    const { stats } = handler.lines.at(-1) as { stats: { handled: number; lost: number } };
    assertEquals([stats.handled, stats.lost], [0, 2]);
  },
});
