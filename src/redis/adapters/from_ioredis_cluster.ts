import { RedisError, UnavailableError } from "../../errors.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionListener,
} from "../client.ts";
import { Borrowed } from "./borrowed.ts";
import type { IoredisClusterLike, IoredisLike } from "./from_ioredis.ts";
import { ClusterSubscription } from "./from_ioredis_cluster_subscription.ts";
import { hashSlot } from "./hash_slot.ts";
import { toBuffer, toReply } from "./replies.ts";

/** A node's client, with what the public types do not tell. */
type Node = IoredisLike & {
  readonly options: { readonly host?: string; readonly port?: number };
  readonly commandQueue?: { readonly length: number };
};

const decoder = new TextDecoder();

/** Error replies with which a cluster says that it did nothing, and that another attempt may succeed. */
const NOT_NOW: ReadonlySet<string> = new Set(["ASK", "CLUSTERDOWN", "MOVED", "TRYAGAIN"]);

/** An `ioredis` cluster. Commands go out one by one: the client follows redirections only for those. */
export class BorrowedIoredisCluster implements RedisClient {
  readonly name: string = "ioredis Cluster";
  readonly cluster: boolean = true;
  readonly #cluster: IoredisClusterLike;
  readonly #borrowed: Borrowed;
  readonly #subscriptions = new Set<ClusterSubscription>();
  readonly #nodes = new Set<IoredisLike>();
  /** The node that was last seen to own a slot of ours. */
  readonly #owners = new Map<number, string>();

  constructor(cluster: IoredisClusterLike) {
    this.#cluster = cluster;
    const borrowed = this.#borrowed = new Borrowed(cluster, cluster.status === "ready");
    borrowed.on("ready", () => {
      borrowed.connected();
      this.#follow();
    });
    borrowed.on("error", (error) => borrowed.failed(error));
    borrowed.on("close", () => borrowed.lost());
    borrowed.on("end", () => borrowed.ended());
    borrowed.on("+node", (node) => this.#watch(node as IoredisLike));
    borrowed.on("-node", (node) => this.#unwatch(node as IoredisLike));
    borrowed.on("refresh", () => this.#follow());
    for (const node of cluster.nodes()) this.#watch(node);
    if (cluster.status === "wait") cluster.connect().catch(() => {}); // it tries again by itself, and says so
  }

  get connected(): boolean {
    return this.#cluster.status === "ready" && !this.#borrowed.closed;
  }

  get generation(): number {
    return this.#borrowed.generation;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#borrowed.listen(listener);
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<(RedisReply | UnavailableError)[]> {
    this.#borrowed.assert(this.connected);
    const replies = await Promise.all(commands.map((command) => this.#send(command)));
    this.#noteOwners(commands);
    // Where only some nodes are gone, the others go on.
    const [first] = replies;
    if (first instanceof UnavailableError && replies.every((reply) => reply instanceof UnavailableError)) throw first;
    return replies;
  }

  reset(_reason: Error): void {
    for (const node of this.#cluster.nodes() as Node[]) {
      // Who waits for nothing did not hang. The client opens another connection when it needs one.
      if (node.status !== "ready" || node.commandQueue?.length === 0) continue;
      const { stream } = node;
      node.disconnect();
      stream.destroy();
    }
  }

  subscribe(channel: string, listener: SubscriptionListener): Promise<Subscription> {
    const subscription = new ClusterSubscription(channel, listener, {
      masters: () => this.#masters(),
      node: (key) => this.#node(key),
      onEnd: () => this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    return Promise.resolve(subscription);
  }

  async close(): Promise<void> {
    this.#borrowed.close();
    for (const node of this.#nodes) this.#unwatch(node);
    await Promise.all([...this.#subscriptions].map((subscription) => subscription[Symbol.asyncDispose]()));
  }

  async #send({ name, args, route, text = false }: RedisCommand): Promise<RedisReply | UnavailableError> {
    try {
      const to = route === undefined ? this.#cluster : this.#node(this.#cluster.slots[hashSlot(route)]?.[0]);
      return toReply(await to.callBuffer(name.toLowerCase(), args.map(toBuffer)), text);
    } catch (cause) {
      if (!(cause instanceof Error) || cause.name !== "ReplyError") return unavailable(cause);
      const error = new RedisError(cause.message, { cause });
      // It follows redirections itself, but not those of a command that was sent to a node.
      if (error.code === "MOVED") this.#cluster.refreshSlotsCache?.();
      return NOT_NOW.has(error.code) ? unavailable(error) : error;
    }
  }

  /** The client of a node. */
  #node(key: string | undefined): IoredisLike {
    const found = (this.#cluster.nodes() as Node[]).find(({ options: { host, port } }) => `${host}:${port}` === key);
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
   * Finds out whether a slot went to another server, which may have lost what the first knew. Redirections are followed by
   * the client below, so this is the only sign of it.
   */
  #noteOwners(commands: readonly RedisCommand[]): void {
    let moved = false;
    for (const { name, args } of commands) {
      if (name !== "EVALSHA" && name !== "EVAL") continue;
      const key = args[2];
      const slot = hashSlot(key instanceof Uint8Array ? decoder.decode(key) : String(key));
      const owner = this.#cluster.slots[slot]?.[0];
      if (owner === undefined || owner === this.#owners.get(slot)) continue;
      moved ||= this.#owners.has(slot);
      this.#owners.set(slot, owner);
    }
    if (moved) this.#borrowed.renewed();
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
  readonly #nodeReady = (): void => this.#borrowed.renewed();

  #follow(): void {
    for (const subscription of this.#subscriptions) subscription.update();
  }
}

function unavailable(cause: unknown): UnavailableError {
  if (cause instanceof UnavailableError) return cause;
  return new UnavailableError("send a command to the cluster", "connection", { cause });
}
