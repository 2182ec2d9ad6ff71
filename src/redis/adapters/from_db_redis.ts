import { UnavailableError } from "../../errors.ts";
import { reconnectDelay } from "../backoff.ts";
import { unref } from "../../util/timers.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../client.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import type { DbRedisLike } from "./db_redis_like.ts";
import { errorOf, pipelineOf } from "./db_redis_pipeline.ts";
import { canStillRead } from "../refusals.ts";

export type { DbRedisLike, DbRedisPipelineLike, DbRedisSubscriptionLike } from "./db_redis_like.ts";

/** The longest that one attempt to connect again may take, in milliseconds. */
const CONNECT_TIMEOUT = 2000;

/**
 * Lets Larder use a `jsr:@db/redis` client that you opened and that you close. Open it with `maxRetryCount: 0`, since
 * its own retries send commands twice: until you close it, Larder connects it again when its connection is lost or
 * hangs. It cannot be subscribed with, since a subscription takes its connection over.
 *
 * @param redis The connected client.
 * @returns The client for `connect({ client })`.
 * @throws {TypeError} If `redis` is no such client.
 */
export function fromDbRedis(redis: DbRedisLike): RedisClient {
  if (typeof redis?.pipeline !== "function" || typeof redis.sendCommand !== "function") {
    throw new TypeError(`Cannot use the client: wanted a client of jsr:@db/redis, got ${typeof redis}`);
  }
  assertOneServer(redis);
  return new ExternalDbRedis(redis);
}

/** Throws if it is the cluster client of that package, which looks like one but has no connection. */
function assertOneServer(redis: DbRedisLike): void {
  try {
    if (typeof redis.isConnected === "boolean") return;
  } catch {
    // It says that this is not implemented.
  }
  throw new TypeError(
    "Cannot use the client: wanted a client of one server, got the cluster client of jsr:@db/redis, which cannot " +
      "send commands together; on a cluster, use fromIoredis(new Cluster(…)) or fromNodeRedis(createCluster(…))",
  );
}

class ExternalDbRedis implements RedisClient {
  readonly name: string = "@db/redis";
  readonly kinds: readonly SubscriptionKind[] = [];
  readonly #redis: DbRedisLike;
  #generation = 1;
  #closed = false;
  #connecting = false;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(redis: DbRedisLike) {
    this.#redis = redis;
    // It may connect again by itself, too.
    redis.addEventListener?.("ready", () => !this.#connecting && this.#connected());
  }

  get connected(): boolean {
    return !this.#connecting && !this.#closed;
  }

  get generation(): number {
    return this.#generation;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    if (this.#closed) throw new UnavailableError("send commands", "closed");
    const { generation } = this;
    try {
      return await pipelineOf(this.#redis, commands);
    } catch (error) {
      if (generation === this.#generation) this.reset(error);
      throw error;
    }
  }

  reset(reason: unknown): void {
    if (this.#connecting || this.#closed) return;
    this.#connecting = true;
    this.#connect(reason);
  }

  subscribe(_channel: string, _listener: SubscriptionListener): Promise<Subscription> {
    return Promise.reject(new UnavailableError("subscribe on a borrowed @db/redis client", "connection"));
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    return Promise.resolve();
  }

  #connected(): void {
    this.#generation++;
    this.#listener?.({ state: "connected" });
  }

  async #connect(reason: unknown): Promise<void> {
    this.#listener?.({ state: "disconnected", reason });
    const closedByOwner = this.#redis.isClosed === true;
    if (!closedByOwner) closeQuietly(this.#redis);
    for (let attempt = 0; !this.#closed; attempt++) {
      try {
        if (closedByOwner) throw new UnavailableError("use a client that its owner has closed", "closed");
        await this.#attempt();
        if (this.#closed) return;
        this.#connecting = false;
        return this.#connected();
      } catch (error) {
        if (this.#closed) return;
        this.#listener?.({ state: "disconnected", error });
        if (closedByOwner) return;
      }
      await this.#pause(reconnectDelay(attempt));
    }
  }

  async #attempt(): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new UnavailableError("connect", "timeout"));
      closeQuietly(this.#redis);
    }, CONNECT_TIMEOUT);
    unref(timer);
    const ready = this.#redis.connect().then(() => this.#redis.sendCommand("PING")).catch((error) => {
      if (!(error instanceof Error) || !canStillRead(errorOf(error))) throw error;
    });
    try {
      await Promise.race([ready, late]);
    } catch (error) {
      ready.catch(() => {});
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      unref(timer);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}

/** Closes a connection in whatever state it is. */
function closeQuietly(redis: DbRedisLike): void {
  try {
    redis.close();
  } catch {
    // It never was open, or is closed already.
  }
}
