import type { RedisClient, Subscription } from "../../redis/client.ts";
import { decoder } from "../../util/utf8.ts";

/** Takes what the bell tells. */
export interface BellListener {
  /** An entry was written, removed or given up. */
  key(key: string): void;
  /** A tag was invalidated. */
  tag(tag: string, mode: "hard" | "stale", at: number): void;
  /** A pattern was invalidated. */
  pattern(glob: string, at: number): void;
  /** Everything was invalidated. */
  all(): void;
  /** Tells what is there of changes that could not ring; something else after each of them. */
  silent(): Promise<string>;
  /** It is heard from now on; what rang before may have been missed. */
  ready(): void;
  /** It is not heard any more. */
  lost(): void;
  /** It cannot be heard with this client. */
  failed(error: unknown): void;
}

/** How old the newest proof may be, in milliseconds: so far behind a copy can be at most. */
const TOUCH = 1000;
/** From what age on the next proof is asked for. */
const PROVE = 300;

/**
 * The channel on which the scripts tell what changed. Redis delivers to one subscriber in order, so a message that this process
 * has sent to itself proves that it has heard all that was published before. Who may not publish leaves a mark instead, which is
 * looked for with each proof.
 */
export class RedisBell implements AsyncDisposable {
  readonly #client: RedisClient;
  readonly #channel: string;
  readonly #listener: BellListener;
  #subscription: Promise<Subscription | undefined> | undefined;
  #live = false;
  #provenAt = -Infinity;
  #proving = false;
  #silent: string | undefined;

  constructor(client: RedisClient, channel: string, listener: BellListener) {
    this.#client = client;
    this.#channel = channel;
    this.#listener = listener;
  }

  /** Whether it is heard. */
  get live(): boolean {
    return this.#live;
  }

  /** Starts listening. */
  start(): void {
    this.#subscription ??= this.#subscribe();
  }

  /** Whether everything that rang a second before `now` has been heard. Looks after itself as long as it is asked. */
  inTouch(now: number): boolean {
    const age = now - this.#provenAt;
    if (age >= PROVE && this.#live && !this.#proving) this.#prove(now);
    return age <= TOUCH;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#subscription)?.[Symbol.asyncDispose]();
  }

  async #subscribe(): Promise<Subscription | undefined> {
    try {
      return await this.#client.subscribe(this.#channel, {
        message: (payload) => this.#message(payload),
        ready: () => {
          this.#live = true;
          this.#listener.ready();
        },
        lost: () => {
          this.#live = false;
          this.#provenAt = -Infinity;
          this.#silent = undefined;
          this.#listener.lost();
        },
      });
    } catch (error) {
      this.#listener.failed(error);
    }
  }

  async #prove(now: number): Promise<void> {
    this.#proving = true;
    const subscription = await this.#subscription;
    // A proof that never comes back must not stand in the way of the next.
    const timer = setTimeout(() => this.#proving = false, TOUCH);
    const [proven, silent] = await Promise.all([subscription?.prove(), this.#listener.silent().catch(() => undefined)]);
    clearTimeout(timer);
    this.#proving = false;
    if (!proven || silent === undefined || !this.#live) return;
    if (this.#silent !== undefined && this.#silent !== silent) this.#listener.all();
    this.#silent = silent;
    this.#provenAt = Math.max(this.#provenAt, now);
  }

  #message(payload: Uint8Array): void {
    const kind = String.fromCharCode(payload[0]!);
    if (kind === "k") {
      for (const key of decoder.decode(payload.subarray(1)).split("\0")) this.#listener.key(key);
      return;
    }
    if (kind === "e") return this.#listener.all();
    if (payload.length < 9) return;
    const at = new DataView(payload.buffer, payload.byteOffset).getFloat64(1);
    const text = decoder.decode(payload.subarray(9));
    if (kind === "p") this.#listener.pattern(text, at);
    else if (kind === "h" || kind === "s") this.#listener.tag(text, kind === "h" ? "hard" : "stale", at);
  }
}
