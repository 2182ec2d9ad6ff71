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
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { type NodeAddress, nodeName, readSlots, type SlotRange } from "./slot_map.ts";

/** How long a node may take to tell who owns which slots, in milliseconds. */
const ANSWERS_WITHIN = 1000;

/** One node of a cluster: a connection of its own, that its cluster hears of. */
export class ClusterNode implements RedisClient {
  readonly at: NodeAddress;
  readonly address: string;
  readonly #client: RedisClient;
  readonly #waiting = new Set<() => void>();
  #out = 0;
  #closed = false;
  #listener: ((change: ConnectionChange) => void) | undefined;
  /** When it was found to be none of the owners any more, by `performance.now()`. */
  leftAt: number | undefined;
  /** Whether it was among the owners when it was asked last. */
  owns: boolean = false;

  /**
   * @param at Where it is.
   * @param client Its connection, which closes with it.
   * @param changed Told each change, after the listener.
   */
  constructor(at: NodeAddress, client: RedisClient, changed: (change: ConnectionChange) => void) {
    this.at = at;
    this.address = nodeName(at);
    this.#client = client;
    client.onChange((change) => {
      if (change.state === "connected") this.#wake();
      this.#listener?.(change);
      changed(change);
    });
  }

  get name(): string {
    return this.#client.name;
  }

  get db(): number | undefined {
    return this.#client.db;
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  get generation(): number {
    return this.#client.generation;
  }

  get inFlight(): number {
    return this.#client.inFlight ?? 1;
  }

  get congested(): boolean {
    return this.#client.congested ?? false;
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<(RedisReply | UnavailableError)[]> {
    this.#out++;
    try {
      return await this.#client.pipeline(commands);
    } finally {
      this.#out--;
    }
  }

  /** Whether somebody waits for it. */
  get busy(): boolean {
    return this.#out > 0;
  }

  reset(reason: Error): void {
    this.#client.reset(reason);
  }

  get kinds(): readonly SubscriptionKind[] {
    return this.#client.kinds ?? ["channel"];
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    return this.#client.subscribe(channel, listener, kind);
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#client.close();
  }

  /** Asks who owns which slots; rejects where it does not say. */
  async slots(): Promise<SlotRange[] | undefined> {
    const reply = await this.ask({ name: "CLUSTER", args: ["SLOTS"] }, ANSWERS_WITHIN);
    if (reply instanceof Error) throw reply;
    return readSlots(reply, this.at);
  }

  /** Sends one command as soon as there is a connection, and gives up after so many milliseconds. */
  async ask(command: RedisCommand, milliseconds: number): Promise<RedisReply | UnavailableError | undefined> {
    if (this.#closed) throw new UnavailableError(`reach the node ${this.address}`, "closed");
    const late = new UnavailableError(`reach the node ${this.address}`, "timeout");
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(late), milliseconds);
    try {
      if (!this.connected) await Promise.race([this.#connected(), promise]);
      const [reply] = await Promise.race([this.pipeline([command]), promise]);
      return reply;
    } finally {
      clearTimeout(timer);
    }
  }

  #connected(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
