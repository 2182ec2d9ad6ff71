import { UnavailableError } from "../../errors.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionListener,
} from "../client.ts";
import { type DbRedisLike, OutOfStepError, pipelineOf } from "./db_redis.ts";

export type { DbRedisLike, DbRedisPipelineLike, DbRedisSubscriptionLike } from "./db_redis.ts";

/**
 * Lets Larder use a `jsr:@db/redis` client that you opened and that you close. Open it with `maxRetryCount: 0`: its own
 * retries send commands twice. It cannot be subscribed with, since a subscription takes its connection over.
 *
 * @param redis The connected client.
 * @returns The client for `connect({ client })`.
 * @throws {TypeError} If `redis` is no such client.
 */
export function fromDbRedis(redis: DbRedisLike): RedisClient {
  if (typeof redis?.pipeline !== "function" || typeof redis.sendCommand !== "function") {
    throw new TypeError(`Cannot use the client: wanted a client of jsr:@db/redis, got ${typeof redis}`);
  }
  return new BorrowedDbRedis(redis);
}

class BorrowedDbRedis implements RedisClient {
  readonly name: string = "@db/redis";
  readonly #redis: DbRedisLike;
  #generation = 1;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #broken: OutOfStepError | undefined;

  constructor(redis: DbRedisLike) {
    this.#redis = redis;
    redis.addEventListener?.("connect", () => {
      this.#generation++;
      this.#broken = undefined;
      this.#listener?.({ state: "connected" });
    });
    redis.addEventListener?.("close", () => this.#listener?.({ state: "disconnected" }));
  }

  // The client connects again when a command needs it, so there is always something to send to.
  readonly connected: boolean = true;

  get generation(): number {
    return this.#generation;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    if (this.#broken) throw this.#broken;
    try {
      return await pipelineOf(this.#redis, commands);
    } catch (error) {
      if (error instanceof OutOfStepError) this.#broken = error;
      throw error;
    }
  }

  reset(): void {
    // The connection is its owner's; late replies are consumed in order by the client itself.
  }

  subscribe(_channel: string, _listener: SubscriptionListener): Promise<Subscription> {
    return Promise.reject(new UnavailableError("subscribe on a borrowed @db/redis client", "connection"));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
