import { type ClosedBy, RedisError, UnavailableError } from "../../errors.ts";
import type { Batch } from "../../redis/batch.ts";
import { bucketOf, hashTags } from "../../redis/buckets.ts";
import type { RedisArgument, RedisReply } from "../../redis/client.ts";
import { unavailable } from "../../redis/refusals.ts";
import type { Script } from "../../redis/script.ts";
import { decoder } from "../../util/utf8.ts";
import type {
  AddRequest,
  BeatAnswer,
  BeatRequest,
  DeadEntry,
  DeadRequest,
  PendingEntry,
  Place,
  ReadRequest,
  Settled,
  StreamEntry,
  StreamInfo,
  StreamListener,
  StreamStore,
  TakeAnswer,
  TakenEntry,
  TakeRequest,
} from "../store.ts";
import { ACK, BEAT, BURY, LEAVE, RETRY, TAKE } from "./group_scripts.ts";
import { ADD, INFO, READ, REVIVE, TRIM_HANDLED } from "./message_scripts.ts";
import { deadOf, entriesOf, infoOf, pendingOf, takenOf, textOf } from "./replies.ts";

/** How a Redis store of streams works. */
export interface RedisStreamStoreOptions {
  /** First part of all keys. */
  namespace: string;
  /** Number of hash slots to spread over; more than 1 only on a cluster. @default {1} */
  buckets?: number;
  /** The time in microseconds instead of the server's, for tests. */
  now?: (() => number) | undefined;
}

/** Streams in Redis: see `message_scripts.ts`. All keys of a stream have one hash tag. */
export class RedisStreamStore implements StreamStore {
  readonly kind = "redis" as const;
  readonly #batch: Batch;
  readonly #tags: readonly string[];
  readonly #channels: string;
  readonly #now: (() => number) | undefined;
  #closed: ClosedBy | undefined;

  constructor(batch: Batch, { namespace, buckets = 1, now }: RedisStreamStoreOptions) {
    this.#batch = batch;
    this.#tags = hashTags(namespace, buckets);
    // What is published in one database is heard in all of them.
    const { db = 0 } = batch.client;
    this.#channels = `${namespace}:st${db === 0 ? "" : db}:`;
    this.#now = now;
  }

  get generation(): number {
    return this.#batch.client.generation;
  }

  async add(request: AddRequest, signal?: AbortSignal): Promise<{ id: string; added: boolean }> {
    const { stream, payload, key, maxLength, once } = request;
    const keys = [this.#key("x", stream), this.#key("xn", stream), this.#key("xw", stream)];
    if (once) keys.push(this.#key("xi", stream, once.id));
    const args: RedisArgument[] = [maxLength ?? "", this.#channels + stream, once?.for ?? 0, "v", payload];
    if (key !== undefined) args.push("k", key);
    const [id, added] = await this.#run(ADD, "add to a stream", keys, args, signal) as RedisReply[];
    return { id: textOf(id), added: added === 1 };
  }

  async take(request: TakeRequest): Promise<TakeAnswer> {
    const { stream, group, place, owner, lease, wanted, after, from = "", most, inHand, counted, holds } = request;
    const keys = [...this.#group(stream, group), this.#key("xw", stream), this.#key("xn", stream)];
    const ids = inHand.length > 0 ? ` ${inHand.join(" ")} ` : "";
    const begin = [this.#time, group, place, owner, lease, wanted, after, from, most];
    const args = [...begin, this.#channels + stream, ids, counted ? 1 : 0, holds ? 1 : 0];
    return takenOf(await this.#run(TAKE, "read from a stream", keys, args));
  }

  async ack(at: Place, settled: readonly Settled[]): Promise<readonly boolean[] | undefined> {
    const { stream, group, place, owner } = at;
    const args = [group, place, owner, ...settled.flatMap(({ id, key = "" }) => [id, key])];
    const done = await this.#run(ACK, "acknowledge a message", this.#group(stream, group), args);
    return done === null ? undefined : (done as number[]).map((one) => one === 1);
  }

  async retry({ stream, group, place, owner }: Place, id: string, attempt: number): Promise<boolean | undefined> {
    const keys = this.#group(stream, group).slice(0, 2);
    const counted = await this.#run(RETRY, "retry a message", keys, [group, place, owner, id, attempt]);
    return counted === null ? undefined : counted === 1;
  }

  async bury({ stream, group, place, owner }: Place, dead: DeadRequest): Promise<boolean> {
    const { id, key = "", payload, attempts, error, most } = dead;
    const args: RedisArgument[] = [this.#time, group, place, owner, id, key, most, "a", attempts, "e", error];
    if (payload) args.push("v", payload);
    if (key !== "") args.push("k", key);
    const keys = [...this.#group(stream, group), this.#key("xd", stream)];
    return await this.#run(BURY, "give a message up", keys, args) === 1;
  }

  async beat({ stream, group, owner, lease, places }: BeatRequest): Promise<BeatAnswer> {
    const keys = this.#group(stream, group).slice(0, 2);
    const args = [this.#time, group, owner, lease, ...places];
    const [held, adopted] = await this.#run(BEAT, "keep messages", keys, args) as [number[], Uint8Array?];
    return { held: held.map((one) => one === 1), adopted: adopted && textOf(adopted) };
  }

  async leave(at: Place, untouched: readonly TakenEntry[], drained: boolean): Promise<boolean> {
    const { stream, group, place, owner } = at;
    const keys = [...this.#group(stream, group).slice(0, 2), this.#key("xw", stream)];
    const before = untouched.flatMap(({ id, attempt }) => [id, attempt - 1]);
    const args = [group, place, owner, this.#channels + stream, drained ? 1 : 0, ...before];
    return await this.#run(LEAVE, "give messages back", keys, args) === 1;
  }

  async read({ stream, from, to, limit, watch }: ReadRequest, signal?: AbortSignal): Promise<readonly StreamEntry[]> {
    const key = this.#key("x", stream);
    if (watch) {
      const keys = [key, this.#key("xw", stream)];
      return entriesOf(await this.#run(READ, "read a stream", keys, [from, to, limit], signal));
    }
    return entriesOf(await this.#send("XRANGE", "read a stream", [key, from, to, "COUNT", limit], signal));
  }

  async pending(
    stream: string,
    group: string,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly PendingEntry[]> {
    const operation = "read what is pending";
    this.#assertOpen(operation);
    const key = this.#key("x", stream);
    try {
      return pendingOf(await this.#batch.send("XPENDING", [key, group, "-", "+", limit], { operation, signal }));
    } catch (error) {
      if (error instanceof RedisError && error.code === "NOGROUP") return [];
      throw unavailable(error, operation);
    }
  }

  async info(stream: string, signal?: AbortSignal): Promise<StreamInfo> {
    const keys = [this.#key("x", stream), this.#key("xd", stream)];
    return infoOf(await this.#run(INFO, "tell of a stream", keys, [], signal));
  }

  async trim(
    stream: string,
    to: { readonly length: number } | { readonly before: string } | "handled",
    signal?: AbortSignal,
  ): Promise<number> {
    const operation = "trim a stream";
    const key = this.#key("x", stream);
    if (to === "handled") return Number(await this.#run(TRIM_HANDLED, operation, [key], [], signal));
    const args = "length" in to ? ["MAXLEN", to.length] : ["MINID", to.before];
    return Number(await this.#send("XTRIM", operation, [key, ...args], signal));
  }

  async dead(
    { stream, from, to, limit }: Omit<ReadRequest, "watch">,
    signal?: AbortSignal,
  ): Promise<readonly DeadEntry[]> {
    const args = [this.#key("xd", stream), from, to, "COUNT", limit];
    return deadOf(await this.#send("XRANGE", "read dead letters", args, signal));
  }

  async revive(stream: string, id: string, signal?: AbortSignal): Promise<string | undefined> {
    const keys = ["x", "xn", "xw", "xd"].map((kind) => this.#key(kind, stream));
    const added = await this.#run(REVIVE, "put a dead letter back", keys, [id, this.#channels + stream], signal);
    return added === null ? undefined : textOf(added);
  }

  async discard(stream: string, ids: readonly string[], signal?: AbortSignal): Promise<number> {
    if (ids.length === 0) return 0;
    return Number(await this.#send("XDEL", "remove dead letters", [this.#key("xd", stream), ...ids], signal));
  }

  async listen(stream: string, listener: StreamListener): Promise<AsyncDisposable> {
    this.#assertOpen("listen to a stream");
    const { client } = this.#batch;
    // Who is told nothing looks for more by itself.
    if (client.kinds?.includes("channel") === false) return { [Symbol.asyncDispose]: () => Promise.resolve() };
    return await client.subscribe(this.#channels + stream, {
      message: (word) => listener.wake(decoder.decode(word) === "-"),
      ready: () => listener.ready(),
      lost: () => listener.lost(),
    });
  }

  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    return Promise.resolve();
  }

  async #run(
    script: Script,
    operation: string,
    keys: readonly string[],
    args: readonly RedisArgument[],
    signal?: AbortSignal,
  ): Promise<RedisReply> {
    this.#assertOpen(operation);
    try {
      return await script.run(this.#batch, keys, args, { operation, signal, whole: script.isNew(this.#batch) });
    } catch (error) {
      throw unavailable(error, operation);
    }
  }

  async #send(name: "XRANGE" | "XTRIM" | "XDEL", operation: string, args: RedisArgument[], signal?: AbortSignal) {
    this.#assertOpen(operation);
    try {
      return await this.#batch.send(name, args, { operation, signal });
    } catch (error) {
      throw unavailable(error, operation);
    }
  }

  #assertOpen(operation: string): void {
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
  }

  /** A key of a stream. Names may have colons: how long the first is says where the second begins. */
  #key(kind: string, stream: string, second?: string): string {
    const tag = this.#tags[bucketOf(stream, this.#tags.length)]!;
    return `{${tag}}:${kind}:${second === undefined ? stream : `${stream.length}:${stream}:${second}`}`;
  }

  #group(stream: string, group: string): string[] {
    return [this.#key("x", stream), this.#key("xg", stream, group), this.#key("xk", stream, group)];
  }

  get #time(): string {
    return this.#now ? String(this.#now()) : "";
  }
}
