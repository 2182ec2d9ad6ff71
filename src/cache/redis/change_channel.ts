import type { RedisError } from "../../errors.ts";
import type { RedisClient, Subscription } from "../../redis/client.ts";
import { MAX_KEY_BYTES } from "../../util/keys.ts";
import { channelOf, readChange } from "./change_message.ts";

/** Takes what the channel tells: what there may be reason to look at. */
export interface ChangeChannelListener {
  /** An entry may have been written, removed or given up. */
  key(key: string): void;
  /** A tag may have been invalidated; without one, a pattern. */
  invalidated(tag?: string): void;
  /** Everything may have been invalidated. */
  all(): void;
  /**
   * Reads what is new in the records of invalidations. Resolves to what is there of changes that could not ring:
   * something else after each of them.
   */
  look(): Promise<string>;
  /** Messages are received from now on; those of before may have been missed. */
  ready(): void;
  /** It is not heard any more. */
  lost(): void;
  /** It cannot be heard with this client. */
  failed(error: unknown): void;
  /** The server does not let it be heard. */
  refused(error: RedisError): void;
}

/** How old the newest proof may be, in milliseconds: so far behind a copy can be at most. */
const TOUCH = 1000;
/** From what age on the next proof is asked for. */
const PROVE = 300;
/** For how long it may not be heard from the first question on until that is told, in milliseconds. */
const PATIENCE = 5000;

/**
 * The channel on which the scripts tell what changed. Redis delivers to one subscriber in order, so a message that this
 * process has sent to itself proves that it has heard all that was published before. Who may not publish leaves a mark
 * instead, which is looked for with each proof. Invalidations of tags and patterns are in the records, which are read
 * with each proof too: nobody can keep them from being heard of, or add to them, by what he publishes.
 */
export class ChangeChannel implements AsyncDisposable {
  readonly #client: RedisClient;
  readonly #channels: readonly string[];
  readonly #listener: ChangeChannelListener;
  #subscription: Promise<Subscription[] | undefined> | undefined;
  /** The channels that are heard. */
  readonly #heard = new Set<string>();
  #provenAt = -Infinity;
  #proving = false;
  #silent: string | undefined;
  /** Since when it is asked for and not heard. */
  #deafSince: number | undefined;
  #told = false;
  #reason: unknown;

  constructor(client: RedisClient, namespace: string, listener: ChangeChannelListener) {
    this.#client = client;
    // Who knows no channels of databases rings that of database 0, wherever it is.
    this.#channels = [...new Set([channelOf(namespace, client.db ?? 0), channelOf(namespace, 0)])];
    this.#listener = listener;
  }

  /** Whether it is heard. */
  get live(): boolean {
    return this.#heard.size === this.#channels.length;
  }

  /** Starts listening. */
  start(): void {
    this.#subscription ??= this.#subscribe();
  }

  /** Whether every message of up to a second before `now` is received. Looks after itself as long as it is asked. */
  inTouch(now: number): boolean {
    this.#complain(now);
    const age = now - this.#provenAt;
    if (age >= PROVE && this.live && !this.#proving) this.#prove(now);
    return age <= TOUCH;
  }

  /** Tells, once, that copies are of no use: they would be asked for again and again, and never served. */
  #complain(now: number): void {
    if (this.#provenAt > -Infinity || !this.#client.connected) {
      this.#deafSince = undefined;
      this.#told &&= this.#provenAt === -Infinity;
    } else if (now - (this.#deafSince ??= now) > PATIENCE && !this.#told) {
      this.#told = true;
      this.#listener.failed(this.#reason);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all((await this.#subscription ?? []).map((subscription) => subscription[Symbol.asyncDispose]()));
  }

  async #subscribe(): Promise<Subscription[] | undefined> {
    try {
      return await Promise.all(this.#channels.map((channel) => this.#hear(channel)));
    } catch (error) {
      this.#told = true;
      this.#listener.failed(error);
    }
  }

  #hear(channel: string): Promise<Subscription> {
    const own = channel === this.#channels[0];
    return this.#client.subscribe(channel, {
      message: (payload) => this.#message(payload, own),
      ready: () => {
        this.#heard.add(channel);
        if (this.live) this.#listener.ready();
      },
      lost: () => {
        if (!this.#heard.delete(channel)) return;
        this.#provenAt = -Infinity;
        this.#silent = undefined;
        this.#listener.lost();
      },
      denied: (error) => {
        this.#reason = error;
        this.#listener.refused(error);
      },
    });
  }

  async #prove(now: number): Promise<void> {
    this.#proving = true;
    const subscriptions = await this.#subscription ?? [];
    // A proof that never comes back must not stand in the way of the next.
    const timer = setTimeout(() => this.#proving = false, TOUCH);
    const proofs = Promise.all(subscriptions.map((subscription) => subscription.prove()));
    const [proven, silent] = await Promise.all([
      proofs,
      this.#listener.look().catch((error) => void (this.#reason = error)),
    ]);
    clearTimeout(timer);
    this.#proving = false;
    if (proven.includes(false) || silent === undefined || !this.live) return;
    if (this.#silent !== undefined && this.#silent !== silent) this.#listener.all();
    this.#silent = silent;
    this.#provenAt = Math.max(this.#provenAt, now);
  }

  #message(payload: Uint8Array, own: boolean): void {
    const message = readChange(payload, MAX_KEY_BYTES);
    if (!message) return;
    // On the channel of another database, only what does not say that it is from there.
    if (!own && (!("here" in message) || message.here)) return;
    if (message.kind === "keys") { for (const key of message.keys) this.#listener.key(key); }
    else if (message.kind === "tag") this.#listener.invalidated(message.tag);
    else if (message.kind === "pattern") this.#listener.invalidated();
    else if (message.kind === "all" || this.#client.db === undefined) this.#listener.all();
  }
}
