import { type ClosedBy, UnavailableError } from "../errors.ts";
import { compileGlob } from "../util/glob.ts";
import type { ChannelListener, ChannelStore, ChannelTopic } from "./store.ts";

/** Those who listen to a channel or a pattern. */
interface Audience {
  readonly topic: ChannelTopic;
  readonly fits: (channel: ChannelTopic) => boolean;
  readonly listeners: Set<ChannelListener>;
}

/** Channels in this process. */
export class MemoryChannelStore implements ChannelStore {
  /** It is one in memory. */
  readonly kind = "memory" as const;
  readonly #audiences = new Map<string, Audience>();
  /** The patterns among them: they are looked through for each message. */
  readonly #patterns = new Set<Audience>();
  #closed: ClosedBy | undefined;

  /** How many channels and patterns somebody listens to. */
  get size(): number {
    return this.#audiences.size;
  }

  /** Publishes on a channel. */
  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async publish(channel: ChannelTopic, payload: Uint8Array, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    if (this.#closed) throw new UnavailableError("publish", "closed", { closedBy: this.#closed });
    const exact = this.#audiences.get(keyOf(channel));
    const patterns = [...this.#patterns].filter(({ fits }) => fits(channel));
    const reached = exact ? [exact, ...patterns] : patterns;
    for (const { listeners } of reached) {
      for (const listener of [...listeners]) queueMicrotask(() => listener.message(payload, channel.name));
    }
    return reached.length;
  }

  /** Subscribes to a channel or a pattern. */
  // deno-lint-ignore require-await -- see publish()
  async subscribe(topic: ChannelTopic, listener: ChannelListener): Promise<AsyncDisposable> {
    if (this.#closed) throw new UnavailableError("subscribe", "closed", { closedBy: this.#closed });
    const key = keyOf(topic);
    const audience = this.#audiences.get(key) ?? audienceOf(topic);
    this.#audiences.set(key, audience);
    if (topic.kind === "pattern") this.#patterns.add(audience);
    audience.listeners.add(listener);
    queueMicrotask(() => listener.ready());
    return {
      [Symbol.asyncDispose]: () => {
        audience.listeners.delete(listener);
        if (audience.listeners.size === 0 && this.#audiences.get(key) === audience) this.#audiences.delete(key);
        if (audience.listeners.size === 0) this.#patterns.delete(audience);
        return Promise.resolve();
      },
    };
  }

  /** Forgets all. */
  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    this.#audiences.clear();
    this.#patterns.clear();
    return Promise.resolve();
  }
}

function keyOf({ kind, name }: ChannelTopic): string {
  return `${kind}:${name}`;
}

function audienceOf(topic: ChannelTopic): Audience {
  const matches = topic.kind === "pattern" ? compileGlob(topic.name) : undefined;
  // As in Redis, a pattern is one of plain channels.
  const fits = ({ kind, name }: ChannelTopic) => kind === "channel" && matches?.(name) === true;
  return { topic, fits, listeners: new Set() };
}
