import { UnavailableError } from "../../errors.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../client.ts";
import type { ClusterSource } from "../cluster/source.ts";
import type { NodeAddress } from "../cluster/slot_map.ts";
import { ExternalNodeRedis } from "./external_node_redis.ts";
import { openSubscriber } from "./from_node_redis_subscriber.ts";
import type { NodeRedisClusterLike, NodeRedisLike, NodeRedisOptionsLike } from "./node_redis_like.ts";
import { Subscriptions } from "../subscriptions.ts";
import { ALL_KINDS } from "../subscription_topic.ts";

/** How long a node may be silent, how often an idle one is asked, and how long connecting may take, in milliseconds. */
const [SILENT, PING_EVERY, CONNECT_WITHIN] = [2000, 500, 2000];
/** The waits between two attempts to reach a node: the first, and the longest, in milliseconds. */
const [FIRST, LONGEST] = [50, 1000];

/**
 * Connections like those of a cluster client of `npm:redis`. Its own are left alone: it sends commands again by rules
 * that are not those of Larder.
 */
export class NodeRedisClusterSource implements ClusterSource {
  readonly name: string = "redis cluster";
  readonly #cluster: NodeRedisClusterLike;
  #template: NodeRedisLike | undefined;

  constructor(cluster: NodeRedisClusterLike) {
    this.#cluster = cluster;
    this.#look();
  }

  seeds(): NodeAddress[] {
    this.#look();
    return this.#cluster.masters.map(({ host, port }) => ({ host, port }));
  }

  open(at: NodeAddress): RedisClient | undefined {
    this.#look();
    const template = this.#template;
    return template && new OwnNode(() => template.duplicate(optionsFor(template.options, at)));
  }

  translate(at: NodeAddress): NodeAddress {
    // The client of a node knows where it is reached.
    const node = this.#cluster.masters.find(({ host, port }) => host === at.host && port === at.port);
    const { host, port } = (node?.client?.options?.socket ?? {}) as { host?: string; port?: number };
    return host === undefined || port === undefined ? at : { host, port };
  }

  #look(): void {
    this.#template ??= this.#cluster.masters.find(({ client }) => client !== undefined)?.client;
  }
}

function optionsFor({ socket, pingInterval }: NodeRedisOptionsLike = {}, { host, port }: NodeAddress): object {
  const { socketTimeout } = (socket ?? {}) as { socketTimeout?: number };
  const silent = socketTimeout ?? SILENT;
  return {
    url: undefined,
    // What others change must not clear the caches of the client.
    clientSideCache: undefined,
    emitInvalidate: undefined,
    readonly: false,
    pingInterval: pingInterval !== undefined && pingInterval < silent ? pingInterval : Math.min(PING_EVERY, silent / 2),
    socket: {
      connectTimeout: CONNECT_WITHIN,
      ...socket,
      host,
      port,
      socketTimeout: silent,
      reconnectStrategy: (retries: number) => Math.min(FIRST * 2 ** Math.min(retries, 10), LONGEST),
    },
  };
}

/** A client of a node that Larder has opened: where it hangs, another one takes its place. */
class OwnNode implements RedisClient {
  readonly name: string = "redis";
  readonly kinds: readonly SubscriptionKind[] = ALL_KINDS;
  readonly #make: () => NodeRedisLike;
  readonly #subscriptions: Subscriptions;
  #redis: NodeRedisLike;
  #client: ExternalNodeRedis;
  #generation = 0;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #closed = false;

  constructor(make: () => NodeRedisLike) {
    this.#make = make;
    this.#redis = make();
    this.#client = this.#open();
    this.#subscriptions = new Subscriptions({
      open: (events, signal) => openSubscriber(this.#redis, events, signal),
      publisher: this,
    });
  }

  get connected(): boolean {
    return !this.#closed && this.#client.connected;
  }

  get generation(): number {
    return this.#generation;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    return await this.#client.pipeline(commands);
  }

  reset(reason: Error): void {
    if (this.#closed) return;
    const up = this.#client.connected;
    this.#end();
    this.#redis = this.#make();
    this.#client = this.#open();
    if (up) this.#listener?.({ state: "disconnected", reason });
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    if (this.#closed) return Promise.reject(new UnavailableError("subscribe", "closed"));
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener, kind));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#subscriptions[Symbol.asyncDispose]();
    this.#end();
  }

  #open(): ExternalNodeRedis {
    const redis = this.#redis;
    redis.on("error", () => {}); // told by the events that matter
    const client = new ExternalNodeRedis(redis);
    client.onChange((change) => {
      if (client !== this.#client) return;
      if (change.state === "connected") this.#generation++;
      this.#listener?.(change);
    });
    redis.connect().catch(() => {}); // it tries again by itself, and says so
    return client;
  }

  #end(): void {
    const redis = this.#redis;
    this.#client.close().catch(() => {});
    try {
      if (redis.destroy) redis.destroy();
      else redis.disconnect().catch(() => {});
    } catch {
      // It is closed already.
    }
  }
}
