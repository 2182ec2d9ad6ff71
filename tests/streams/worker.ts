/**
 * One of the processes of `processes_test.ts`: handles messages and tells of each when its handler began and ended, by
 * the clock of the machine.
 *
 * @module
 */
import { connect } from "../../mod.ts";
import { delay } from "../../src/util/abort.ts";

const [url, lease, concurrency] = Deno.args as [string, string, string];
const encoder = new TextEncoder();
/** Written at once: what a process has told before it was killed is not lost. */
const send = (value: unknown): void => void Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(value)}\n`));

const redis = await connect({ url, namespace: "jobs", commandTimeout: "2s", on: () => {} });
const jobs = redis.streams.stream<{ key: string; n: number; pause?: number }>("jobs");
const options = { lease, concurrency: Number(concurrency), maxAttempts: 1000 };
const worker = jobs.consume("workers", options, async ({ value: { key, n, pause }, signal }) => {
  const began = Date.now();
  if (pause !== undefined) {
    send({ begun: n });
    await delay(pause, signal).catch(() => {}); // the message is lost
  } else if (n % 16 === 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 2));
  send([key, n, began, Date.now(), signal.aborted]);
});
send("ready");
await Deno.stdin.read(new Uint8Array(64)); // until it is told to end
await worker.shutdown();
send({ stats: redis.streams.stats() });
await redis.close();
