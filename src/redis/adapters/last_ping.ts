import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import type { NodeRedisLike } from "./node_redis_like.ts";

/** How long an answer is waited for, in milliseconds. */
const ANSWERED_WITHIN = 100;

/**
 * Hears what goes wrong with a client that nobody else listens to, until the `PING` that it may have out itself is
 * answered: if it is destroyed before, that `PING` fails, and an error that nobody hears ends the process.
 *
 * @returns Takes the listener off again, once there is no such `PING`; waits for that a moment.
 */
export function hearLastPing(redis: NodeRedisLike): () => Promise<void> {
  const hear = () => {};
  redis.on("error", hear);
  const leave = () => void redis.off("error", hear);
  return async () => {
    const alone = redis.listenerCount?.("error") === 1;
    if (!alone || !redis.isReady || !redis.options?.pingInterval) return leave();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ANSWERED_WITHIN);
    redis.sendCommand(["PING"]).then(leave, () => setTimeout(leave, 0)).then(() => { // after those before it
      clearTimeout(timer);
      resolve();
    });
    await promise;
  };
}
