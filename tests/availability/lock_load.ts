import { type Context, type Load, oneOf, pause } from "./context.ts";

const NAMES = Array.from({ length: 24 }, (_, i) => `lock:${i}`);
/** Replicas have a lock, and what was done, before it counts. */
const DURABILITY = { replicas: 1, timeout: "100ms" } as const;

/**
 * KEYS: who is in, the largest number so far. ARGV: the number. Tells how many are in now, and whether it is larger.
 */
const ENTER = `
local last = tonumber(redis.call("GET", KEYS[2]) or "0")
if tonumber(ARGV[1]) > last then redis.call("SET", KEYS[2], ARGV[1]) end
return { redis.call("INCR", KEYS[1]), tonumber(ARGV[1]) > last and 1 or 0 }`;

/** A lock has one holder, whose number is larger than those before; what is done once is not done again. */
export function lockLoad(context: Context): Load {
  const { redis, truth } = context;
  const hold = async () => {
    const name = oneOf(NAMES);
    const bucket = context.bucket(`l:${name}`);
    const options = { ttl: "5s", durability: DURABILITY };
    const lock = await context.call(bucket, async () => await redis.locks.tryAcquire(name, options) ?? "taken");
    if (!lock || lock === "taken") return;
    const [inside, larger] = await truth.eval(ENTER, 2, `in:${name}`, `fence:${name}`, lock.token) as [number, number];
    const good = (inside === 1 || !lock.held) && larger === 1;
    if (lock.replicated) context.count("looked", "locks");
    if (!good && lock.replicated) context.count("broken", "locks");
    else if (!good) context.count("others", "locks held twice that no replica had");
    await pause(2);
    await truth.decr(`in:${name}`);
    await context.call(bucket, () => lock.release(), (released) => released);
  };

  const done: { name: string; runs: string }[] = [];
  let jobs = 0;
  const once = async () => {
    // The others try most of them as well.
    const name = `job:${Math.floor(jobs++ / 2)}`;
    const bucket = context.bucket(`i:${name}`);
    const result = await context.call(
      bucket,
      () =>
        redis.locks.idempotent(name, { ttl: "1h", lockTtl: "5s", durability: DURABILITY }, async () => {
          await truth.incr(`runs:${name}`);
          return { value: 1, keep: new Uint8Array([1]) };
        }),
    );
    if (result?.state !== "ran" || !await context.replicated(bucket)) return;
    done.push({ name, runs: await truth.get(`runs:${name}`) ?? "0" });
  };
  return {
    steps: [hold, once],
    async end() {
      for (const { name, runs } of done) {
        context.count("looked", "jobs");
        if (await truth.get(`runs:${name}`) !== runs) context.count("broken", "jobs");
        else if (runs !== "1") context.count("others", "jobs done again before a replica had them");
      }
    },
  };
}
