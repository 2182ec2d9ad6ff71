import type { NodeRedisLike } from "./node_redis_like.ts";

/** A client of `npm:redis` that Larder has made. */
export interface DuplicatedNodeRedis {
  readonly redis: NodeRedisLike;
  /** Closes it, whatever it does at that moment. */
  close(): void;
}

/** What is to be other than in the client: its socket as a whole, and more options. */
export interface DuplicateOptions {
  readonly socket: object;
  readonly [option: string]: unknown;
}

/**
 * Makes a client like another one, for one connection that is not made again. One that is closed while its connection
 * is being made would go on with it and keep it open for good, so that is cut short; and one that waits before it
 * connects again would keep its process from ending.
 */
export function duplicateNodeRedis(
  client: NodeRedisLike,
  { socket, ...overrides }: DuplicateOptions,
): DuplicatedNodeRedis {
  const closing = new AbortController();
  const { signal } = closing;
  const redis = client.duplicate({ ...overrides, socket: { ...socket, reconnectStrategy: false, signal } });
  redis.on("error", () => {}); // told by the events that matter
  const destroy = () => {
    try {
      if (redis.destroy) redis.destroy();
      else redis.disconnect().catch(() => {});
    } catch {
      // It is closed already.
    }
  };
  redis.on("connect", () => signal.aborted && destroy()); // where sockets do not know signals
  return {
    redis,
    close: () => {
      destroy();
      closing.abort();
    },
  };
}
