import { RedisError, UnavailableError } from "../../errors.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionListener,
} from "../client.ts";
import { ExternalConnection } from "./external_connection.ts";
import type { IoredisClusterLike, IoredisLike } from "./ioredis_like.ts";
import { ClusterSubscription } from "./from_ioredis_cluster_subscription.ts";
import { openSubscriber } from "./from_ioredis_subscriber.ts";
import { hashSlot } from "../hash_slot.ts";
import { toBuffer, toReply } from "./replies.ts";
import { Subscriptions } from "../subscriptions.ts";
import { decoder } from "../../util/utf8.ts";

/** A node's client, with what the public types do not tell. */
type Node = IoredisLike & { readonly options: { readonly host?: string; readonly port?: number } };

/** How long a node that did not answer in time is not asked again, in milliseconds: the others need not wait for it. */
const HUNG = 5000;

/** Error replies with which a cluster says that it did nothing, and that another attempt may succeed. */
const NOT_NOW: ReadonlySet<string> = new Set(["ASK", "CLUSTERDOWN", "MOVED", "TRYAGAIN"]);

/** An `ioredis` cluster. Commands go out one by one: the client follows redirections only for those. */
export class ExternalIoredisCluster implements RedisClient {
  readonly name: string = "ioredis Cluster";
  readonly cluster: boolean = true;
  readonly #cluster: IoredisClusterLike;
  readonly #external: ExternalConnection;
  readonly #subscriptions = new Set<ClusterSubscription>();
  /** The connections for subscriptions, by node. */
  readonly #subscribers = new Map<string, Subscriptions>();
  readonly #nodes = new Set<IoredisLike>();
  /** The node that was last seen to own a slot of ours. */
  readonly #owners = new Map<number, string>();
  /** How many commands wait for a node. */
  readonly #pending = new Map<string, number>();
  /** Until when a node is not asked, by `performance.now()`. */
  readonly #hung = new Map<string, number>();

  constructor(cluster: IoredisClusterLike) {
    this.#cluster = cluster;
    const external = this.#external = new ExternalConnection(cluster, cluster.status === "ready");
    external.on("ready", () => {
      external.connected();
      this.#follow();
    });
    external.on("error", (error) => external.failed(error));
    external.on("close", () => external.lost());
    external.on("end", () => external.ended());
    external.on("+node", (node) => this.#watch(node as IoredisLike));
    external.on("-node", (node) => this.#unwatch(node as IoredisLike));
    external.on("refresh", () => this.#follow());
    for (const node of cluster.nodes()) this.#watch(node);
    if (cluster.status === "wait") cluster.connect().catch(() => {}); // it tries again by itself, and says so
  }

  get connected(): boolean {
    return this.#cluster.status === "ready" && !this.#external.closed;
  }

  get generation(): number {
    return this.#external.generation;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#external.listen(listener);
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<(RedisReply | UnavailableError)[]> {
    this.#external.assert(this.connected);
    // What goes to one node goes out in one write.
    const streams = this.#cluster.nodes().map((node) => node.stream);
    for (const stream of streams) stream?.cork();
    const slots = commands.map(slotOf);
    const sending = commands.map((command, i) => this.#guarded(command, this.#ownerOf(slots[i])));
    for (const stream of streams) stream?.uncork();
    const replies = await Promise.all(sending);
    this.#noteOwners(slots);
    // Where only some nodes are gone, the others go on.
    const [first] = replies;
    if (first instanceof UnavailableError && replies.every((reply) => reply instanceof UnavailableError)) throw first;
    return replies;
  }

  reset(_reason: Error): void {
    for (const key of this.#pending.keys()) {
      this.#hung.set(key, performance.now() + HUNG);
      const node = this.#find(key);
      if (!node || node.status === "wait" || node.status === "end") continue;
      // The client opens another connection when it needs one.
      const { stream } = node;
      node.disconnect();
      stream?.destroy();
    }
  }

  subscribe(channel: string, listener: SubscriptionListener): Promise<Subscription> {
    const subscription = new ClusterSubscription(channel, listener, {
      masters: () => this.#masters(),
      subscriptions: (key) => this.#subscriptionsOn(key),
      onEnd: () => void this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    return Promise.resolve(subscription);
  }

  async close(): Promise<void> {
    this.#external.close();
    for (const node of this.#nodes) this.#unwatch(node);
    await Promise.all([...this.#subscriptions].map((subscription) => subscription[Symbol.asyncDispose]()));
  }

  #subscriptionsOn(key: string): Subscriptions {
    const known = this.#subscribers.get(key);
    if (known) return known;
    const subscriptions = new Subscriptions({
      // The client of a node is made anew now and then.
      open: (channels, message, signal) => openSubscriber(this.#node(key), channels, message, signal),
      announce: async (channel, text) => void await this.#node(key).callBuffer("publish", [channel, text]),
    });
    this.#subscribers.set(key, subscriptions);
    return subscriptions;
  }

  /** Sends a command, unless its node hangs. */
  async #guarded(command: RedisCommand, owner: string | undefined): Promise<RedisReply | UnavailableError> {
    if (owner === undefined) return await this.#send(command, undefined);
    if (performance.now() < (this.#hung.get(owner) ?? 0)) {
      return new UnavailableError(`reach the node ${owner}`, "timeout");
    }
    this.#pending.set(owner, (this.#pending.get(owner) ?? 0) + 1);
    const reply = await this.#send(command, owner);
    const pending = this.#pending.get(owner)! - 1;
    if (pending > 0) this.#pending.set(owner, pending);
    else this.#pending.delete(owner);
    return reply;
  }

  async #send(command: RedisCommand, owner: string | undefined): Promise<RedisReply | UnavailableError> {
    const { name, args, route, text = false } = command;
    try {
      const to = route === undefined ? this.#cluster : this.#node(owner);
      return toReply(await to.callBuffer(name.toLowerCase(), args.map(toBuffer)), text);
    } catch (cause) {
      if (!(cause instanceof Error) || cause.name !== "ReplyError") return unavailable(cause);
      const error = new RedisError(cause.message); // without the arguments of the command
      // It follows redirections itself, but not those of a command that was sent to a node.
      if (error.code === "MOVED") this.#cluster.refreshSlotsCache?.();
      return NOT_NOW.has(error.code) ? unavailable(error) : error;
    }
  }

  #ownerOf(slot: number | undefined): string | undefined {
    return slot === undefined ? undefined : this.#cluster.slots[slot]?.[0];
  }

  #find(key: string | undefined): IoredisLike | undefined {
    return (this.#cluster.nodes() as Node[]).find(({ options: { host, port } }) => `${host}:${port}` === key);
  }

  /** The client of a node. */
  #node(key: string | undefined): IoredisLike {
    const found = this.#find(key);
    if (found) return found;
    // The client forgets nodes whose connection it lost until it needs them, or is told to look again.
    this.#cluster.refreshSlotsCache?.();
    throw new UnavailableError(`reach the node ${key}`, "connection");
  }

  /** The nodes that own slots. */
  #masters(): Set<string> {
    const masters = new Set<string>();
    let last: readonly string[] | undefined;
    for (const nodes of this.#cluster.slots) {
      if (nodes === last) continue; // the slots of a range share one list
      last = nodes;
      if (nodes?.[0] !== undefined) masters.add(nodes[0]);
    }
    return masters;
  }

  /**
   * Finds out whether a slot went to another server, which may have lost what the first knew. Redirections are followed
   * by the client below, so this is the only sign of it.
   */
  #noteOwners(slots: readonly (number | undefined)[]): void {
    let moved = false;
    for (const slot of slots) {
      const owner = this.#ownerOf(slot);
      if (owner === undefined || owner === this.#owners.get(slot!)) continue;
      moved ||= this.#owners.has(slot!);
      this.#owners.set(slot!, owner);
    }
    if (moved) this.#external.renewed();
  }

  #watch(node: IoredisLike): void {
    if (this.#nodes.has(node)) return;
    this.#nodes.add(node);
    node.on("ready", this.#nodeReady);
  }

  #unwatch(node: IoredisLike): void {
    this.#nodes.delete(node);
    node.off("ready", this.#nodeReady);
  }

  /** A new connection: the server behind it may have been restarted. */
  readonly #nodeReady = (): void => this.#external.renewed();

  #follow(): void {
    for (const subscription of this.#subscriptions) subscription.update();
  }
}

/** Commands of the services whose first argument is a key. */
const OF_KEYS: ReadonlySet<string> = new Set(["MGET", "GETRANGE", "STRLEN", "ZMSCORE"]);

/** The slot that a command is for, where that matters here: the services of Larder speak in scripts, mostly. */
function slotOf({ name, args, route }: RedisCommand): number | undefined {
  if (route !== undefined) return hashSlot(route);
  const isScript = (name === "EVALSHA" || name === "EVAL") && Number(args[1]) > 0;
  const key = isScript ? args[2] : OF_KEYS.has(name) ? args[0] : undefined;
  return key === undefined ? undefined : hashSlot(key instanceof Uint8Array ? decoder.decode(key) : String(key));
}

function unavailable(cause: unknown): UnavailableError {
  if (cause instanceof UnavailableError) return cause;
  if (cause instanceof RedisError) return new UnavailableError("send a command to the cluster", "refused", { cause });
  return new UnavailableError("send a command to the cluster", "connection", { cause });
}
