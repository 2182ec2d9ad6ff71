import { type ClosedBy, type RedisError, UnavailableError } from "../../errors.ts";
import type { Batch } from "../../redis/batch.ts";
import type { SubscriptionListener } from "../../redis/client.ts";
import { unavailable } from "../../redis/refusals.ts";
import { isTransient } from "../../redis/subscription_topic.ts";
import { compileGlob } from "../../util/glob.ts";
import type { ChannelListener, ChannelStore, ChannelTopic } from "../store.ts";

/** How many messages of a cluster are remembered, where each may arrive from every master. */
const REMEMBERED = 4096;
/** What is attempted. */
const SUBSCRIBE = "subscribe";
/** The same, as what is refused of one kind says nothing of the others. */
const OPERATIONS: Readonly<Record<ChannelTopic["kind"], string>> = {
  channel: SUBSCRIBE,
  pattern: "subscribe to patterns",
  sharded: "subscribe to sharded channels",
};
/** What tells one message from all others, in front of it. */
const ID = 16;

/** Channels in Redis. All subscriptions of a process share one connection. */
export class RedisChannelStore implements ChannelStore {
  readonly kind = "redis" as const;
  readonly #batch: Batch;
  readonly #prefix: string;
  /** Who publishes, and which of his messages it is. */
  readonly #id: Uint8Array<ArrayBuffer> = crypto.getRandomValues(new Uint8Array(ID));
  readonly #count: DataView = new DataView(this.#id.buffer, ID / 2);
  #published = 0n;
  /** An ACL names patterns to the letter, so it can only name that of all channels: this process chooses then. */
  #hearsAll = false;
  #closed: ClosedBy | undefined;

  constructor(batch: Batch, { namespace }: { namespace: string }) {
    this.#batch = batch;
    // What is published in one database is heard in all of them. There is nothing in it that a pattern takes for more
    // than itself, see isNamespace().
    const { db = 0 } = batch.client;
    this.#prefix = `${namespace}:ch${db === 0 ? "" : db}:`;
  }

  lacks(kind: ChannelTopic["kind"]): { wanted: string; got: string } | undefined {
    const { name, kinds = ["channel"] } = this.#batch.client;
    return kinds.includes(kind) ? undefined : { wanted: "a client that can subscribe to such", got: name };
  }

  async publish({ kind, name }: ChannelTopic, payload: Uint8Array, signal?: AbortSignal): Promise<number> {
    const operation = "publish";
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
    const message = new Uint8Array(ID + payload.length);
    this.#count.setBigUint64(0, ++this.#published);
    message.set(this.#id);
    message.set(payload, ID);
    const channel = this.#prefix + name;
    try {
      const reply = kind === "sharded"
        ? await this.#batch.send("SPUBLISH", [channel, message], { operation, signal })
        : await this.#batch.send("PUBLISH", [channel, message], { operation, signal });
      return typeof reply === "number" ? reply : 0;
    } catch (error) {
      throw unavailable(error, operation);
    }
  }

  async subscribe({ kind, name }: ChannelTopic, listener: ChannelListener): Promise<AsyncDisposable> {
    if (this.#closed) throw new UnavailableError(SUBSCRIBE, "closed", { closedBy: this.#closed });
    const { client, diagnosis } = this.#batch;
    const operation = OPERATIONS[kind];
    const { length } = this.#prefix;
    const isNew = client.cluster ? oncePerMessage() : () => true;
    const take: Omit<SubscriptionListener, "refused"> = {
      message: (bytes, channel) => {
        if (bytes.length >= ID && isNew(bytes)) listener.message(bytes.subarray(ID), channel.slice(length));
        // Somebody else's, which cannot be read.
        else if (bytes.length < ID) listener.message(new Uint8Array(0), channel.slice(length));
      },
      ready: () => {
        diagnosis.worked(operation);
        listener.ready();
      },
      lost: () => listener.lost(),
      denied: (error) => diagnosis.refused(operation, error),
    };
    const fail = (error: RedisError) => {
      if (isTransient(error)) return;
      diagnosis.refused(operation, error);
      listener.failed(unavailable(error, SUBSCRIBE) as Error);
    };
    if (kind !== "pattern") return await client.subscribe(this.#prefix + name, { ...take, refused: fail }, kind);
    const all = () => {
      const fits = compileGlob(name);
      return client.subscribe(`${this.#prefix}*`, {
        ...take,
        message: (bytes, channel) => fits(channel.slice(length)) && take.message(bytes, channel),
        refused: fail,
      }, kind);
    };
    const one = () =>
      client.subscribe(this.#prefix + name, {
        ...take,
        refused: (error) => {
          if (error.code !== "NOPERM") return fail(error);
          if (open.length > 1) return; // on a cluster, each node says so
          this.#hearsAll = true;
          open.push(all());
          open[0]!.then((refused) => refused[Symbol.asyncDispose]());
        },
      }, kind);
    const open = [this.#hearsAll ? all() : one()];
    await open[0];
    return {
      [Symbol.asyncDispose]: async () => {
        await Promise.all(open.map(async (one) => await (await one)[Symbol.asyncDispose]()));
      },
    };
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
