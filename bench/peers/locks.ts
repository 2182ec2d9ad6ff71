import { Redis } from "ioredis";
import Redlock from "npm:redlock@5.0.0-beta.2";

/** Locks of a peer. */
export interface PeerLocks extends AsyncDisposable {
  /** Acquires a lock and gives it up. */
  cycle(name: string): Promise<void>;
}

/** Opens `npm:redlock` on `npm:ioredis`. */
export async function openRedlock(url: string): Promise<PeerLocks> {
  const redis = await open(url);
  // deno-lint-ignore no-explicit-any -- it was written for another version of ioredis
  const redlock = new Redlock([redis as any], { retryCount: 0 });
  return {
    async cycle(name) {
      const lock = await redlock.acquire([name], 30_000);
      await lock.release();
    },
    [Symbol.asyncDispose]: () => end(redis),
  };
}

const RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

/** What is written by hand: `SET NX PX`, and a script that compares and deletes, on `npm:ioredis`. */
export async function openByHand(url: string): Promise<PeerLocks> {
  const redis = await open(url);
  let next = 0;
  return {
    async cycle(name) {
      const owner = `owner${next++}`;
      if (await redis.set(name, owner, "PX", 30_000, "NX") !== "OK") throw new Error("It is not free");
      await redis.eval(RELEASE, 1, name, owner);
    },
    [Symbol.asyncDispose]: () => end(redis),
  };
}

async function open(url: string): Promise<Redis> {
  const redis = new Redis(url, { lazyConnect: true });
  await redis.connect();
  return redis;
}

async function end(redis: Redis): Promise<void> {
  redis.disconnect();
  await Promise.resolve();
}
