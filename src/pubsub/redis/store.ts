import { type ClosedBy, UnavailableError } from "../../errors.ts";
import type { Batch } from "../../redis/batch.ts";
import { unavailable } from "../../redis/refusals.ts";
import type { ChannelListener, ChannelStore } from "../store.ts";

/** How many messages of a cluster are remembered, where each may arrive from every master. */
const REMEMBERED = 4096;
/** What tells one message from all others, in front of it. */
const ID = 16;

/** Channels in Redis. All subscriptions of a process share one connection. */
export class RedisChannelStore implements ChannelStore {
  readonly kind = "redis" as const;
  readonly #batch: Batch;
  readonly #prefix: string;
  readonly #publisher: Uint8Array = crypto.getRandomValues(new Uint8Array(ID / 2));
  #published = 0n;
  #closed: ClosedBy | undefined;

  constructor(batch: Batch, { namespace }: { namespace: string }) {
    this.#batch = batch;
    // What is published in one database is heard in all of them.
    const { db = 0 } = batch.client;
    this.#prefix = `${namespace}:ch${db === 0 ? "" : db}:`;
  }

  async publish(channel: string, payload: Uint8Array, signal?: AbortSignal): Promise<number> {
    const operation = "publish";
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
    const message = new Uint8Array(ID + payload.length);
    message.set(this.#publisher);
    new DataView(message.buffer).setBigUint64(ID / 2, ++this.#published);
    message.set(payload, ID);
    try {
      const reply = await this.#batch.send("PUBLISH", [this.#prefix + channel, message], { operation, signal });
      return typeof reply === "number" ? reply : 0;
    } catch (error) {
      throw unavailable(error, operation);
    }
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<AsyncDisposable> {
    if (this.#closed) throw new UnavailableError("subscribe", "closed", { closedBy: this.#closed });
    const isNew = this.#batch.client.cluster ? oncePerMessage() : () => true;
    return await this.#batch.client.subscribe(this.#prefix + channel, {
      message: (bytes) => {
        if (bytes.length >= ID && isNew(bytes)) listener.message(bytes.subarray(ID));
        else if (bytes.length < ID) listener.message(new Uint8Array(0)); // somebody else's, which cannot be read
      },
      ready: () => listener.ready(),
      lost: () => listener.lost(),
    });
  }

  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    return Promise.resolve();
  }
}

/** Tells whether a message comes for the first time. */
function oncePerMessage(): (message: Uint8Array) => boolean {
  const seen = new Set<string>();
  return (message) => {
    const id = message.subarray(0, ID).join();
    if (seen.has(id)) return false;
    seen.add(id);
    if (seen.size > REMEMBERED) { for (const first of seen) return seen.delete(first); }
    return true;
  };
}
