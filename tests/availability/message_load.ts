import { type Context, type Load, oneOf, pause } from "./context.ts";

/** So many, so that each node has some. */
const STREAMS = Array.from({ length: 6 }, (_, i) => `jobs:${i}`);
const KEYS = 4;
/** How long is waited for messages that nobody has handled, in milliseconds. */
const PATIENCE = 15_000;

interface Job {
  readonly key: string;
  readonly n: number;
}

/**
 * KEYS: the numbers of a key that were begun, the largest of them. ARGV: the number. Tells whether it is begun for the
 * first time, and whether that is in order.
 */
const BEGIN = `
local n, last = tonumber(ARGV[1]), tonumber(redis.call("GET", KEYS[2]) or "-1")
local first = redis.call("SADD", KEYS[1], n)
if n > last then redis.call("SET", KEYS[2], n) end
return { first, (first == 0 or n > last) and 1 or 0 }`;

/** What was added and reached a replica is handled, in the order of its key. */
export function streamLoad(context: Context): Load {
  const { redis, truth, setup } = context;
  const consumers = STREAMS.map((name) => {
    const options = { lease: "2s", concurrency: 4, retryDelay: "20ms", maxAttempts: 1000 };
    return redis.streams.stream<Job>(name).consume("workers", options, async ({ value: { key, n } }) => {
      const [first, inOrder] = await truth.eval(BEGIN, 2, `begun:${key}`, `last:${key}`, n) as [number, number];
      if (!first) context.count("others", "messages handled again");
      if (!inOrder) context.count("broken", "streams");
      await truth.sadd(`done:${key}`, n);
    });
  });
  const next = new Map<string, number>();
  const added: { job: Job; replicated: boolean }[] = [];
  const busy = new Set<string>();
  const add = async () => {
    const name = oneOf(STREAMS);
    const key = `${name}:${setup.worker}:${Math.floor(Math.random() * KEYS)}`;
    if (busy.has(key)) return;
    busy.add(key);
    const job = { key, n: next.get(key) ?? 0 };
    const bucket = context.bucket(name);
    // Under an id: one that failed and was added all the same is not added again.
    const id = await context.call(
      bucket,
      () => redis.streams.stream<Job>(name).add(job, { key, id: `${key}:${job.n}` }),
    );
    if (id !== undefined) {
      next.set(key, job.n + 1);
      added.push({ job, replicated: await context.replicated(bucket) });
    }
    busy.delete(key);
  };
  const missing = async () => {
    const found = await Promise.all(added.map(({ job: { key, n } }) => truth.sismember(`done:${key}`, n)));
    return added.filter((_, i) => !found[i]);
  };
  return {
    steps: [add],
    async end() {
      const until = Date.now() + PATIENCE;
      // What no replica had may be lost, and is not waited for.
      while ((await missing()).some(({ replicated }) => replicated) && Date.now() < until) await pause(200);
      await pause(1000); // others may wait for what is handled here
      for (const { replicated } of await missing()) {
        if (replicated) context.count("broken", "streams");
        else context.count("others", "messages lost that no replica had");
      }
      context.count("looked", "streams", added.filter(({ replicated }) => replicated).length);
      await Promise.all(consumers.map((consumer) => consumer.shutdown()));
    },
  };
}

interface Tick {
  readonly from: number;
  readonly n: number;
}

/** Messages may overtake each other on their way through several nodes, but not by so many. */
const OVERTAKE = 10;

/** What was published and did not arrive has a gap. */
export function channelLoad(context: Context): Load {
  const { redis, truth, setup } = context;
  const channel = redis.pubsub.channel<Tick>("ticks");
  const messages = channel.subscribe({ buffer: 100_000 });
  const heard = Array.from({ length: setup.workers }, () => new Set<number>());
  /** Between which numbers of each process there was a gap. */
  const gaps = heard.map((): { after: number; before: number }[] => []);
  const reading = (async () => {
    const last = heard.map(() => -1);
    for await (const { value, gap } of messages) {
      if (gap) last.forEach((n, from) => gaps[from]!.push({ after: n - OVERTAKE, before: Infinity }));
      if (!value) continue;
      const { from, n } = value;
      const open = gaps[from]!.at(-1);
      if (open?.before === Infinity) open.before = n + OVERTAKE;
      heard[from]!.add(n);
      last[from] = Math.max(last[from]!, n);
    }
  })();
  let n = 0;
  const publish = async () => {
    await messages.ready;
    const tick = { from: setup.worker, n: n++ };
    const reached = await context.call(context.any, () => channel.publish(tick));
    if (reached !== undefined) await truth.sadd(`published:${tick.from}`, tick.n);
  };
  return {
    steps: [publish],
    async end() {
      await pause(500); // what is on its way
      await messages[Symbol.asyncDispose]();
      await reading;
      for (const [from, seen] of heard.entries()) {
        const [first, last] = [Math.min(...seen), Math.max(...seen)];
        for (const n of (await truth.smembers(`published:${from}`)).map(Number)) {
          if (n < first || n > last - OVERTAKE) continue; // it had not begun, or had ended
          context.count("looked", "channels");
          if (seen.has(n)) continue;
          const told = gaps[from]!.some(({ after, before }) => after < n && n < before);
          context.count(told ? "others" : "broken", told ? "messages of channels missed in a gap" : "channels");
        }
      }
      context.count("others", "gaps of channels", gaps[setup.worker]!.length);
    },
  };
}
