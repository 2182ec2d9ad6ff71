import { Redis } from "ioredis";
import { RateLimiterRedis } from "npm:rate-limiter-flexible@11.4.0";

/** A limit of this peer. */
export interface FlexibleLimit extends AsyncDisposable {
  /** Counts a call. Rejects when it is refused, as this library does. */
  consume(id: string): Promise<unknown>;
}

/** Opens `npm:rate-limiter-flexible` on `npm:ioredis`. */
export async function openFlexible(url: string, points: number, seconds: number): Promise<FlexibleLimit> {
  const redis = new Redis(url, { lazyConnect: true });
  await redis.connect();
  const limiter = new RateLimiterRedis({
    storeClient: redis,
    points,
    duration: seconds,
    keyPrefix: `flexible:${points}`,
    rejectIfRedisNotReady: true,
  });
  return {
    consume: (id) => limiter.consume(id),
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await Promise.resolve();
    },
  };
}
