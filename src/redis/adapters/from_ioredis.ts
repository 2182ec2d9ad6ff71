import { describe } from "../../util/describe.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionListener,
} from "../client.ts";
import { addressText } from "../address_text.ts";
import { ExternalConnection } from "./external_connection.ts";
import { ExternalIoredisCluster } from "./from_ioredis_cluster.ts";
import { openSubscriber } from "./from_ioredis_subscriber.ts";
import type { IoredisClusterLike, IoredisLike, IoredisOptionsLike } from "./ioredis_like.ts";
import { toBuffer, toReply } from "./replies.ts";
import { Subscriptions } from "../subscriptions.ts";

/**
 * Lets Larder use an `npm:ioredis` client that you opened and that you close: of one server, of a server behind
 * Sentinels, or of a cluster.
 *
 * A `Redis` has to be opened with `maxRetriesPerRequest: 0`, a `Cluster` with `retryDelayOnFailover: 0`: by default
 * ioredis sends again what was lost with its connection, so that it may run twice. Leave `keyPrefix` out and use
 * `namespace` of `connect()`. A connection that does not answer within `commandTimeout` is replaced, as is one that was
 * lost. To subscribe, connections with the same options are opened: one, or one for each master of a cluster, where a
 * message may arrive more than once.
 *
 * @param client The client. One with `lazyConnect` is connected.
 * @returns The client for `connect({ client })`.
 * @throws {TypeError} If `client` is none of ioredis, or was opened with options that send commands twice or change
 * keys or replies.
 *
 * @example One server, or a server behind Sentinels
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromIoredis } from "@larder/larder/redis";
 * import { Redis } from "ioredis";
 *
 * const client = new Redis("redis://127.0.0.1:6379", { maxRetriesPerRequest: 0 });
 * await using redis = await connect({ client: fromIoredis(client) });
 * ```
 *
 * @example A cluster
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { fromIoredis } from "@larder/larder/redis";
 * import { Cluster } from "ioredis";
 *
 * const client = new Cluster([{ host: "10.0.0.1", port: 6379 }], {
 *   retryDelayOnFailover: 0,
 *   slotsRefreshInterval: 5000,
 * });
 * await using redis = await connect({ client: fromIoredis(client), buckets: 16 });
 * ```
 */
export function fromIoredis(client: IoredisLike | IoredisClusterLike): RedisClient {
  if (typeof client?.callBuffer !== "function" || typeof client.on !== "function") {
    throw new TypeError(`Cannot use the client: wanted a Redis or a Cluster of npm:ioredis, got ${describe(client)}`);
  }
  if (isCluster(client)) {
    const { retryDelayOnFailover, clusterNodeRetryStrategy, keyPrefix, redisOptions = {} } = client.options;
    assertNeverResends("retryDelayOnFailover", retryDelayOnFailover);
    if (typeof clusterNodeRetryStrategy === "function") {
      assertNeverResends("redisOptions.maxRetriesPerRequest", redisOptions.maxRetriesPerRequest);
    }
    assertPlain({ ...redisOptions, keyPrefix: keyPrefix || redisOptions.keyPrefix });
    return new ExternalIoredisCluster(client);
  }
  assertNeverResends("maxRetriesPerRequest", client.options.maxRetriesPerRequest);
  assertPlain(client.options);
  return new ExternalIoredis(client);
}

function isCluster(client: IoredisLike | IoredisClusterLike): client is IoredisClusterLike {
  return client.isCluster;
}

function assertNeverResends(option: string, value: unknown): void {
  if (value === 0) return;
  throw new TypeError(
    `Cannot use the client: wanted one opened with ${option}: 0, so that no command runs twice, got ${describe(value)}`,
  );
}

function assertPlain({ keyPrefix, stringNumbers }: IoredisOptionsLike): void {
  if (keyPrefix !== undefined && keyPrefix.length > 0) {
    throw new TypeError(
      `Cannot use the client: wanted one without keyPrefix (see the option "namespace"), got ${describe(keyPrefix)}`,
    );
  }
  if (stringNumbers) throw new TypeError("Cannot use the client: wanted one without stringNumbers, got true");
}

class ExternalIoredis implements RedisClient {
  readonly name: string = "ioredis";
  readonly #redis: IoredisLike;
  readonly #external: ExternalConnection;
  readonly #subscriptions: Subscriptions;

  constructor(redis: IoredisLike) {
    this.#redis = redis;
    this.#subscriptions = new Subscriptions({
      open: (channels, message, signal) => openSubscriber(redis, channels, message, signal),
      announce: async (name, text) => void await this.pipeline([{ name: "PUBLISH", args: [name, text] }]),
    });
    const external = this.#external = new ExternalConnection(redis, redis.status === "ready");
    external.on("ready", () => external.connected());
    external.on("error", (error) => external.failed(error));
    external.on("close", () => external.lost());
    external.on("end", () => external.ended());
    if (redis.status === "wait") redis.connect().catch(() => {}); // it tries again by itself, and says so
  }

  get address(): string | undefined {
    const { host, port, sentinels, path } = this.#redis.options;
    if (path) return path;
    return sentinels || host === undefined ? undefined : addressText({ hostname: host, port: Number(port ?? 6379) });
  }

  get db(): number {
    return this.#redis.options.db ?? 0;
  }

  get connected(): boolean {
    return this.#redis.status === "ready" && !this.#external.closed;
  }

  get generation(): number {
    return this.#external.generation;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#external.listen(listener);
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    this.#external.assert(this.connected);
    const pipeline = this.#redis.pipeline();
    // Its own names are in lower case; only those get the replies of RESP2 whatever the protocol.
    for (const { name, args } of commands) pipeline.callBuffer(name.toLowerCase(), args.map(toBuffer));
    const results = await pipeline.exec() ?? [];
    return results.map(([error, reply], i) => {
      if (error && error.name !== "ReplyError") throw error;
      return toReply(error ?? reply, commands[i]!.text ?? false);
    });
  }

  reset(_reason: Error): void {
    if (!this.connected) return;
    const { stream } = this.#redis;
    this.#redis.disconnect(true);
    stream?.destroy(); // it would wait for a server that hangs
  }

  subscribe(channel: string, listener: SubscriptionListener): Promise<Subscription> {
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener));
  }

  async close(): Promise<void> {
    this.#external.close();
    await this.#subscriptions[Symbol.asyncDispose]();
  }
}
