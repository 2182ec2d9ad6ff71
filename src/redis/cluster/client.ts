import { type RedisError, UnavailableError } from "../../errors.ts";
import { unref } from "../../util/timers.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { reconnectDelay } from "../backoff.ts";
import { ALL_KINDS } from "../subscription_topic.ts";
import type {
  ClusterNodes,
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../client.ts";
import { askOneAfterTheOther } from "./hedged_question.ts";
import { ClusterNode } from "./node.ts";
import { hashSlot } from "./hash_slot.ts";
import { pipelineOn } from "./pipeline.ts";
import { keyOf } from "./route.ts";
import { type NodeAddress, nodeName, readTarget, type SlotRange } from "./slot_map.ts";
import { SlotOwners } from "./slot_owners.ts";
import type { ClusterSource } from "./source.ts";
import { type FollowingSubscription, subscribeOnCluster } from "./subscribe.ts";

/** How often the cluster is looked at while all is well, and while a node is missing, in milliseconds. */
const [EVERY, EVERY_IN_TROUBLE] = [15_000, 200];
/** How long a node that owns nothing any more is kept, so that what is on its way can end. */
const KEPT = 10_000;
/** How long after a look another one is made because a node pointed elsewhere. */
const SOON = 50;

/**
 * A cluster: finds out who owns which slots, holds one connection to each owner, and follows the slots when they move.
 * It asks the nodes itself, so it needs no more of a client than connections. The primary that Sentinels watch over is
 * one that owns all slots, as they say.
 */
export class ClusterClient implements RedisClient, ClusterNodes {
  readonly name: string;
  readonly cluster: boolean;
  readonly db: number;
  readonly nodes: ClusterNodes = this;
  readonly apart = (): Promise<ClusterClient> => Promise.resolve(new ClusterClient(this.#source.forBlocking()));
  readonly kinds: readonly SubscriptionKind[] = ALL_KINDS;
  readonly #source: ClusterSource;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #subscriptions = new Set<FollowingSubscription>();
  readonly #slots = new SlotOwners(
    () => void this.#generation++,
    (owner) => this.cluster && this.#nodes.get(owner)?.connected === true, // Sentinels are believed
  );
  #known = false;
  #up = false;
  #generation = 0;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #looking: Promise<boolean> | undefined;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #failures = 0;
  #failure: unknown;
  #turn = 0;
  #closed = false;

  constructor(source: ClusterSource) {
    this.name = source.name;
    this.cluster = source.cluster;
    this.db = source.db;
    this.#source = source;
    this.#lookIn(0);
  }

  get connected(): boolean {
    return this.#known && !this.#closed && this.#anyConnected;
  }

  get generation(): number {
    return this.#generation;
  }

  get owners(): Iterable<ClusterNode> {
    return [...this.#nodes.values()].filter(({ leftAt }) => leftAt === undefined);
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  of(commands: readonly RedisCommand[]): ClusterNode | undefined {
    if (this.#closed) return undefined;
    let key: string | undefined;
    for (let i = 0; key === undefined && i < commands.length; i++) key = keyOf(commands[i]!);
    if (key === undefined) return this.#listenerTo(commands) ?? this.#any();
    const slot = this.cluster ? hashSlot(key) : 0; // all are one server's
    const owner = this.#slots.of(slot);
    if (owner === undefined) {
      if (this.#known) this.#lookIn(SOON); // its owner is not known to those who were asked
      return this.#any();
    }
    this.#slots.use(slot, owner);
    return this.#nodes.get(owner);
  }

  redirect(error: RedisError): { node: ClusterNode; asking: boolean } | undefined {
    if (this.#closed) return undefined;
    if (error.code === "CLUSTERDOWN" || error.code === "READONLY" || error.code === "MASTERDOWN") this.#lookIn(SOON);
    const target = error.code === "MOVED" || error.code === "ASK" ? readTarget(error.message) : undefined;
    if (!target || target.host === "") { // without a host it means itself
      if (error.code === "MOVED") this.#lookIn(SOON);
      return undefined;
    }
    const node = this.#nodeAt(this.#source.translate(target));
    if (!node) return undefined;
    if (error.code === "ASK") return { node, asking: true };
    this.#slots.set(target.slot, node.address); // before what follows is answered
    node.leftAt = undefined;
    this.#lookIn(SOON); // more of them may have moved
    return { node, asking: false };
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<(RedisReply | UnavailableError)[]> {
    if (this.#closed) throw new UnavailableError("send commands", "closed");
    if (!this.connected) throw new UnavailableError("send commands", "connection");
    return await pipelineOn(this, commands);
  }

  reset(reason: Error): void {
    for (const node of this.owners) if (node.busy) node.reset(reason);
    this.#lookIn(0);
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    const subscription = subscribeOnCluster(channel, listener, kind, {
      owners: () => this.#known ? new Set(this.owners) : new Set(),
      ownerOf: (channel) => this.#nodes.get(this.#slots.of(hashSlot(channel)) ?? ""),
      moved: (error) => void this.redirect(error),
      onEnd: () => void this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    return Promise.resolve(subscription);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listener = undefined;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription[Symbol.asyncDispose]()));
    await Promise.all([...this.#nodes.values()].map((node) => node.close()));
    this.#nodes.clear();
    await Promise.all([this.#looking, this.#source.close?.()]);
  }

  get #anyConnected(): boolean {
    for (const { connected } of this.#nodes.values()) if (connected) return true;
    return false;
  }

  /** The node that takes the messages of a channel, so that they stay in their order, as long as it is there. */
  #listenerTo([command]: readonly RedisCommand[]): ClusterNode | undefined {
    if (command?.name !== "PUBLISH" || typeof command.args[0] !== "string") return undefined;
    const node = this.#nodes.get(this.#slots.of(hashSlot(command.args[0])) ?? "");
    return node?.connected ? node : undefined;
  }

  /** A node for what names no key, each time another. */
  #any(): ClusterNode | undefined {
    const owners = [...this.owners];
    const up = owners.filter(({ connected }) => connected);
    const from = up.length > 0 ? up : owners;
    return from[this.#turn++ % from.length];
  }

  #nodeAt(at: NodeAddress): ClusterNode | undefined {
    const known = this.#nodes.get(nodeName(at));
    if (known || this.#closed) return known;
    const client = this.#source.open(at);
    if (!client) return undefined;
    const node = new ClusterNode(at, client, (change) => this.#changed(node, change));
    this.#nodes.set(node.address, node);
    return node;
  }

  #changed(node: ClusterNode, change: ConnectionChange): void {
    if (this.#closed || this.#nodes.get(node.address) !== node) return;
    if (change.state === "connected") {
      this.#generation++; // the server behind it may have been restarted
      if (this.#known) this.#tellUp();
      else this.#lookIn(0);
      return;
    }
    this.#failure = change.error ?? change.reason ?? this.#failure;
    if (node.leftAt !== undefined) return;
    this.#lookIn(SOON);
    if (!this.#known || this.#anyConnected) return;
    if (change.error !== undefined) this.#tellDown(change.error);
    else this.#up = false; // it may be mended soon, which is to be told then
  }

  #tellUp(): void {
    if (this.#up) return;
    this.#up = true;
    this.#listener?.({ state: "connected" });
  }

  #tellDown(error: unknown): void {
    this.#up = false;
    this.#listener?.({ state: "disconnected", error });
  }

  /** Looks at the cluster after so many milliseconds, or sooner if that was said already. */
  #lookIn(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (this.#closed || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#again = this.#looking !== undefined; // what made somebody ask may be newer than that answer
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
        this.#lookIn(this.#again ? SOON : this.#pause());
      });
    }, milliseconds);
    unref(this.#timer);
  }

  #pause(): number {
    if (!this.#known) return reconnectDelay(this.#failures);
    const missing = [...this.owners].some(({ connected }) => !connected);
    return missing ? EVERY_IN_TROUBLE : EVERY;
  }

  async #look(): Promise<boolean> {
    const ranges = await this.#ask();
    if (this.#closed) return false;
    this.#retire();
    if (ranges) {
      this.#failures = 0;
      this.#follow(ranges);
      return true;
    }
    this.#failures++;
    if (!this.#anyConnected) {
      this.#tellDown(this.#failure ?? new UnavailableError("reach a node of the cluster", "connection"));
    }
    return false;
  }

  /** Asks one node after the other who owns which slots: those first that are likely to answer. */
  async #ask(): Promise<readonly SlotRange[] | undefined> {
    if (this.#source.owners) {
      return await this.#source.owners().catch((error: unknown) => void (this.#failure = error));
    }
    const owners = [...this.owners].sort(() => Math.random() - 0.5);
    const seeds = this.#known && this.#failures === 0 ? [] : this.#source.seeds().flatMap((at) => this.#seed(at));
    const nodes = [...new Set([...owners.filter(({ connected }) => connected), ...owners, ...seeds])];
    const slotsOf = (node: ClusterNode) => node.slots().catch((error: unknown) => void (this.#failure = error));
    return await askOneAfterTheOther(nodes, slotsOf, () => this.#closed);
  }

  #seed(at: NodeAddress): ClusterNode[] {
    const known = this.#nodes.get(nodeName(at));
    if (known) return [known];
    const node = this.#nodeAt(at);
    if (!node) return [];
    node.leftAt = performance.now(); // unless it turns out to own something
    return [node];
  }

  #follow(ranges: readonly SlotRange[]): void {
    const owners = this.#slots.replace(ranges.flatMap((range) => {
      const node = this.#nodeAt(this.#source.translate(range.owner));
      return node ? [{ ...range, owner: node.address }] : [];
    }));
    const now = performance.now();
    for (const node of this.#nodes.values()) {
      const owned = node.owns;
      node.owns = owners.has(node.address);
      if (node.owns) node.leftAt = undefined;
      else if (owned && !node.connected) this.#drop(node); // nothing of it can still come to its end
      else node.leftAt ??= now;
    }
    this.#known = owners.size > 0;
    if (this.connected) this.#tellUp();
    for (const subscription of this.#subscriptions) subscription.update();
  }

  /** Closes what has owned nothing for a while. */
  #retire(): void {
    const before = performance.now() - KEPT;
    for (const node of this.#nodes.values()) if (node.leftAt !== undefined && node.leftAt <= before) this.#drop(node);
  }

  #drop(node: ClusterNode): void {
    this.#nodes.delete(node.address);
    node.close().catch(() => {});
  }
}
