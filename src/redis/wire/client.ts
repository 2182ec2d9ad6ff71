import { ConfigError, UnavailableError } from "../../errors.ts";
import { unref } from "../../util/timers.ts";
import { Subscriptions } from "../subscriptions.ts";
import { ALL_KINDS } from "../subscription_topic.ts";
import { reconnectDelay } from "../backoff.ts";
import type {
  ConnectionChange,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscription,
  SubscriptionKind,
  SubscriptionListener,
} from "../client.ts";
import { clearInterval, clearTimeout, setInterval, setTimeout } from "../../util/real_timers.ts";
import { endpointText, type RedisAddress } from "./address.ts";
import type { Connection } from "./connection.ts";
import { openConnection, type OpenOptions } from "./open.ts";
import { openSubscriber } from "./subscriber.ts";

export type { RedisAddress };

/** How a client keeps its connections. */
export interface WireOptions {
  /** How often an idle connection is asked whether it is still there, in milliseconds. @default {30_000} */
  heartbeat?: number | undefined;
  /** The longest that connecting and logging in may take, in milliseconds. @default {2000} */
  connectTimeout?: number | undefined;
  /** What the server shows as the name of the connections, in `CLIENT LIST`. */
  clientName?: string | undefined;
}

const CONNECT_TIMEOUT = 2000;
const HEARTBEAT = 30_000;
/** How often a subscription proves that messages still arrive, at least, in milliseconds. */
const PROOF = 10_000;
/**
 * Writes that may be out at a time: over a network that spares waits, and when a connection is lost all of them are.
 */
const IN_FLIGHT = 8;

/** Larder's own client: it opens its connections, replaces and closes them. It needs nothing but the runtime. */
export class WireClient implements RedisClient {
  readonly name: string = "larder";
  readonly kinds: readonly SubscriptionKind[] = ALL_KINDS;
  readonly inFlight: number = IN_FLIGHT;
  readonly #address: RedisAddress;
  readonly #wireOptions: WireOptions;
  readonly #heartbeatEvery: number;
  readonly #connectTimeout: number;
  readonly #clientName: string | undefined;
  readonly #subscriptions: Subscriptions;
  #connection: Connection | undefined;
  #generation = 0;
  #closed = false;
  #listener: ((change: ConnectionChange) => void) | undefined;
  #running: Promise<void> | undefined;
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;
  /** Whether it was used since it was looked last. */
  #used = false;

  constructor(address: RedisAddress, options: WireOptions = {}) {
    this.#address = address;
    this.#wireOptions = options;
    this.#heartbeatEvery = options.heartbeat ?? HEARTBEAT;
    this.#connectTimeout = options.connectTimeout ?? CONNECT_TIMEOUT;
    this.#clientName = options.clientName;
    this.#subscriptions = new Subscriptions({
      open: (events, signal) => openSubscriber(address, this.#options(signal), events),
      proofEvery: Math.min(5 * this.#heartbeatEvery, PROOF),
      publisher: this,
    });
  }

  get address(): string {
    return endpointText(this.#address);
  }

  get db(): number {
    return this.#address.db ?? 0;
  }

  get connected(): boolean {
    return this.#connection?.open === true;
  }

  get congested(): boolean {
    return this.#connection?.congested ?? false;
  }

  get movedAt(): number {
    return this.#connection?.movedAt ?? -Infinity;
  }

  get generation(): number {
    return this.#generation;
  }

  /**
   * Makes the first attempt to connect and keeps trying afterwards, for ever.
   *
   * @throws {ConfigError} If the server refuses the credentials or the database, or it may not be reached.
   */
  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#running = this.#run(resolve, reject);
    await promise;
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    const connection = this.#connection;
    if (!connection) return Promise.reject(new UnavailableError("send commands", "connection"));
    this.#used = true;
    return connection.send(commands);
  }

  reset(reason: Error): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close(reason);
  }

  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription> {
    return Promise.resolve(this.#subscriptions.subscribe(channel, listener, kind));
  }

  async apart(signal?: AbortSignal): Promise<WireClient> {
    const client = new WireClient(this.#address, this.#wireOptions);
    const close = () => void client.close();
    signal?.addEventListener("abort", close);
    await client.start().finally(() => signal?.removeEventListener("abort", close));
    return client;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.reset(new UnavailableError("use the connection", "closed"));
    this.#wake?.();
    this.#stop.abort();
    await Promise.all([this.#running, this.#subscriptions[Symbol.asyncDispose]()]);
  }

  async #run(started: () => void, refused: (error: unknown) => void): Promise<void> {
    let first = true;
    for (let attempt = 0; !this.#closed; first = false) {
      try {
        const connection = await openConnection(this.#address, this.#options(this.#stop.signal));
        if (this.#closed) return connection.close(undefined);
        attempt = 0;
        this.#connection = connection;
        this.#generation++;
        this.#used = true;
        this.#listener?.({ state: "connected" });
        started();
        const heartbeat = this.#beat(connection);
        const reason = await connection.ended;
        clearInterval(heartbeat);
        if (this.#connection === connection) this.#connection = undefined;
        if (!this.#closed) this.#listener?.({ state: "disconnected", reason });
      } catch (error) {
        // Only the first time: later, a server that is being reconfigured must not end a running service.
        if (error instanceof ConfigError && first) {
          this.#closed = true;
          return refused(error);
        }
        if (!this.#closed) this.#listener?.({ state: "disconnected", error });
        started();
      }
      if (!this.#closed) await this.#pause(reconnectDelay(attempt++));
    }
    started();
  }

  #options(signal: AbortSignal): OpenOptions {
    return { timeout: this.#connectTimeout, signal, name: this.#clientName };
  }

  /** Finds out that an idle connection is dead before the next command does. */
  #beat(connection: Connection): ReturnType<typeof setInterval> {
    const timer = setInterval(async () => {
      const used = this.#used;
      this.#used = false;
      if (connection.busy || used) return;
      const late = setTimeout(() => {
        if (this.#connection === connection) this.reset(new UnavailableError("ping", "timeout"));
      }, this.#connectTimeout);
      unref(late);
      await connection.send([{ name: "PING", args: [] }]).catch(() => {}); // the connection says so itself
      clearTimeout(late);
    }, this.#heartbeatEvery);
    unref(timer);
    return timer;
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      unref(timer);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}
