/**
 * A process with load on all services: reads one setup, then works until it is stopped, and tells each tenth of a
 * second what came of its calls by bucket.
 *
 * @module
 */
import { Cluster, Redis } from "ioredis";
import { connect, type Larder, UnavailableError } from "../../mod.ts";
import { bucketOf } from "../../src/redis/buckets.ts";
import { fromIoredis } from "../../src/redis/adapters/from_ioredis.ts";
import type { Bin, Setup, Told } from "./setup.ts";
import { BIN, KEYS, LIMIT } from "./setup.ts";

const setup: Setup = JSON.parse(Deno.args[0]!);
const { namespace, buckets } = setup;
const quiet = () => {};

/** The server that knows what is true: it takes no part in what happens to the others. */
const truth = new Redis(setup.truth, "127.0.0.1");

const client = setup.sentinels
  ? new Redis({
    sentinels: setup.sentinels.map((port) => ({ host: "127.0.0.1", port })),
    name: "main",
    maxRetriesPerRequest: 0,
    retryStrategy: (times: number) => Math.min(50 * times, 500),
    sentinelRetryStrategy: () => 200,
  })
  : new Cluster([{ host: "127.0.0.1", port: setup.node! }], { retryDelayOnFailover: 0 });
client.on("error", quiet);

const redis: Larder = await connect({
  client: fromIoredis(client as Redis),
  namespace,
  buckets,
  on: quiet,
  // Without a replica that is in touch a login waits for all of that.
  sessions: { durability: { replicas: 1, timeout: "100ms" } },
  rateLimit: { presets: { TIGHT: { limit: LIMIT, window: "1h", onUnavailable: "closed" } } },
} as never);
await redis.ready({ timeout: "20s" });

let bin: Bin = { at: 0, calls: {} };
const told: Told = {
  hits: 0,
  stale: 0,
  begun: { replicated: 0, others: 0 },
  lost: { replicated: 0, others: 0 },
  hidden: 0,
  refusals: {},
};

function note(bucket: number, failed: boolean, error?: unknown): void {
  const counts = bin.calls[bucket] ??= [0, 0];
  counts[0]++;
  if (!failed) return;
  counts[1]++;
  const why = error instanceof UnavailableError ? error.code ?? error.reason : String(error ?? "undefined");
  told.refusals[why] = (told.refusals[why] ?? 0) + 1;
}

/** Runs a call, and notes what came of it. */
async function call<T>(bucket: number, work: () => Promise<T>, good: (result: T) => boolean): Promise<T | undefined> {
  try {
    const result = await work();
    note(bucket, !good(result));
    return result;
  } catch (error) {
    note(bucket, true, error);
    return undefined;
  }
}

const ids = Array.from({ length: KEYS }, (_, i) => i);
const pick = () => ids[Math.floor(Math.random() * ids.length)]!;
const pause = () => new Promise((resolve) => setTimeout(resolve, 4));
let stopped = false;

/** What was acknowledged before a read began must be seen by it. */
async function read(): Promise<void> {
  const key = `key:${pick()}`;
  const acknowledged = Number(await truth.get(`ack:${key}`) ?? 0);
  let loaded = false;
  await call(bucketOf(key, buckets), async () => {
    const value = await redis.cache.getOrSet<number>(key, async () => {
      loaded = true;
      return Number(await truth.get(`value:${key}`) ?? 0);
    }, { ttl: "1h", tags: [`tag:${key}`] });
    if (!loaded) told.hits++;
    if (value < acknowledged) told.stale++;
    return value;
  }, () => true);
}

async function change(byTag: boolean): Promise<void> {
  const key = `key:${pick()}`;
  const value = await truth.incr(`value:${key}`);
  const result = await call(
    bucketOf(key, buckets),
    () => byTag ? redis.cache.invalidateByTag(`tag:${key}`) : redis.cache.invalidate(key),
    // A tag is invalidated in all buckets: what one of them owes is no failure of this one.
    ({ status }) => byTag || status === "done",
  );
  if (result?.status === "done") await truth.set(`ack:${key}`, value);
}

/** All that were acknowledged. */
const sessions: { id: string; bucket: number; replicated: boolean; missed: number }[] = [];

async function login(): Promise<void> {
  const user = `user:${setup.worker}:${pick()}:${sessions.length}`;
  const bucket = bucketOf(user, buckets);
  const session = await call(bucket, () => redis.sessions.create(user, { n: 1 }), () => true);
  if (!session) return;
  const replicated = session.replicated === true;
  told.begun[replicated ? "replicated" : "others"]++;
  sessions.push({ id: session.id, bucket, replicated, missed: 0 });
}

async function visit(): Promise<void> {
  const session = sessions[Math.floor(Math.random() * sessions.length)];
  if (!session) return;
  let answered = false;
  const found = await call(session.bucket, async () => {
    const found = await redis.sessions.get(session.id);
    answered = true;
    return found;
  }, () => true);
  if (answered && !found) session.missed++;
}

/** When all is over, each session is looked for: what is not there now is lost. */
async function count(): Promise<void> {
  for (let i = 0; i < sessions.length; i += 500) {
    await Promise.all(
      sessions.slice(i, i + 500).map(async ({ id, replicated, missed }) => {
        const found = await redis.sessions.get(id);
        if (!found) told.lost[replicated ? "replicated" : "others"]++;
        else told.hidden += missed;
      }),
    );
  }
}

async function limit(): Promise<void> {
  const id = `198.51.100.${pick()}`;
  // One that is decided by policy is no failure of the call, but of the node.
  const result = await call(
    bucketOf(id, buckets),
    () => redis.rateLimit.check("TIGHT" as "AUTH", id),
    ({ source }) => source !== "policy",
  );
  if (result?.allowed && !result.degraded) await truth.incr(`admitted:${id}`);
}

const work = [read, read, () => change(false), () => change(true), login, visit, visit, limit];
const callers = Promise.all(work.map(async (step) => {
  while (!stopped) {
    await step();
    await pause();
  }
}));

const encoder = new TextEncoder();
const timer = setInterval(() => {
  const last = bin;
  bin = { at: Date.now(), calls: {} };
  if (last.at > 0) Deno.stdout.writeSync(encoder.encode(`${JSON.stringify({ bin: last })}\n`));
}, BIN);

for await (const _ of Deno.stdin.readable) break; // one line ends it
stopped = true;
clearInterval(timer);
await callers;
await count();
Deno.stdout.writeSync(encoder.encode(`${JSON.stringify({ told })}\n`));
await redis.close();
client.disconnect();
truth.disconnect();
