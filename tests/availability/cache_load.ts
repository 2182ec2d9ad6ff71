import { type Context, type Load, oneOf } from "./context.ts";
import { KEYS, LIMIT } from "./setup.ts";

const IDS = Array.from({ length: KEYS }, (_, i) => i);

/** What was acknowledged before a read began must be seen by it. */
export function cacheLoad(context: Context): Load {
  const { redis, truth } = context;
  const read = async () => {
    const key = `key:${oneOf(IDS)}`;
    const acknowledged = Number(await truth.get(`ack:${key}`) ?? 0);
    let loaded = false;
    await context.call(context.bucket(key), async () => {
      const value = await redis.cache.getOrSet<number>(key, async () => {
        loaded = true;
        return Number(await truth.get(`value:${key}`) ?? 0);
      }, { ttl: "1h", tags: [`tag:${key}`] });
      if (!loaded) context.count("looked", "cache");
      if (value < acknowledged) context.count("broken", "cache");
    });
  };
  const change = async (byTag: boolean) => {
    const key = `key:${oneOf(IDS)}`;
    const value = await truth.incr(`value:${key}`);
    const result = await context.call(
      context.bucket(key),
      () => byTag ? redis.cache.invalidateByTag(`tag:${key}`) : redis.cache.invalidate(key),
      // A tag is invalidated in all buckets: what one of them owes is no failure of this one.
      ({ status }) => byTag || status === "done",
    );
    if (result?.status === "done") await truth.set(`ack:${key}`, value);
  };
  return { steps: [read, read, () => change(false), () => change(true)] };
}

/** Sessions are found as long as they were not lost with their primary. */
export function sessionLoad(context: Context): Load {
  const { redis, setup } = context;
  /** All that were acknowledged. */
  const sessions: { id: string; bucket: number; replicated: boolean; missed: number }[] = [];
  const login = async () => {
    const user = `user:${setup.worker}:${oneOf(IDS)}:${sessions.length}`;
    const session = await context.call(context.bucket(user), () => redis.sessions.create(user, { n: 1 }));
    if (!session) return;
    const replicated = session.replicated === true;
    context.count("looked", replicated ? "sessions" : "sessions no replica had");
    sessions.push({ id: session.id, bucket: context.bucket(user), replicated, missed: 0 });
  };
  const visit = async () => {
    const session = oneOf(sessions);
    if (!session) return;
    const found = await context.call(session.bucket, async () => await redis.sessions.get(session.id) ?? "none");
    if (found === "none") session.missed++;
  };
  return {
    steps: [login, visit, visit],
    // What is not there when all is over is lost.
    async end() {
      for (let i = 0; i < sessions.length; i += 500) {
        await Promise.all(
          sessions.slice(i, i + 500).map(async ({ id, replicated, missed }) => {
            const found = await redis.sessions.get(id);
            if (!found && replicated) context.count("broken", "sessions");
            else if (!found) context.count("others", "sessions lost that no replica had");
            else if (missed > 0) context.count("others", "sessions not found for a while", missed);
          }),
        );
      }
    },
  };
}

/** Nobody is admitted beyond a limit. */
export function limitLoad(context: Context): Load {
  const { redis, truth, setup } = context;
  const check = async () => {
    const id = `198.51.100.${oneOf(IDS)}`;
    // One that is decided by policy is no failure of the call, but of the node.
    const result = await context.call(
      context.bucket(id),
      () => redis.rateLimit.check("TIGHT" as "AUTH", id),
      ({ source }) => source !== "policy",
    );
    if (result?.allowed && !result.degraded) await truth.incr(`admitted:${id}`);
  };
  return {
    steps: [check],
    async end() {
      if (setup.worker > 0) return;
      for (const i of IDS) {
        const admitted = Number(await truth.get(`admitted:198.51.100.${i}`) ?? 0);
        context.count("looked", "limits");
        if (admitted > LIMIT) context.count("broken", "limits", admitted - LIMIT);
      }
    },
  };
}
