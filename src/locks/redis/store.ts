import { type ClosedBy, RedisError, UnavailableError } from "../../errors.ts";
import type { Batch } from "../../redis/batch.ts";
import { bucketOf } from "../../redis/buckets.ts";
import type { RedisArgument, RedisReply, Subscription } from "../../redis/client.ts";
import { Deadline } from "../../redis/deadline.ts";
import { assertReplicates } from "../../redis/durability.ts";
import { withoutForeign } from "../../redis/foreign_keys.ts";
import { unavailable } from "../../redis/refusals.ts";
import { Replication, runReplicated } from "../../redis/replication.ts";
import type { Script } from "../../redis/script.ts";
import type { ReplicaWait } from "../../redis/wait_for_replicas.ts";
import { decoder } from "../../util/utf8.ts";
import type { ExtendRequest, KeptValue, LastRun, LockListener, LockStore, TakeAnswer, TakeRequest } from "../store.ts";
import { EXTEND, KEEP_DONE, KEEP_RUN, TAKE } from "./scripts.ts";

/** What is attempted by who stands in line. */
const LISTEN = "wait for a lock";

/** How a Redis store of locks works. */
export interface RedisLockStoreOptions {
  /** First part of all keys. */
  namespace: string;
  /** Number of hash slots to spread over; more than 1 only on a cluster. @default {1} */
  buckets?: number;
  /** The time in microseconds instead of the server's, for tests. */
  now?: (() => number) | undefined;
}

/** The highest fencing number that this process has heard of, by namespace. */
const highest = new Map<string, number>();

/** Locks in Redis: see `scripts.ts`. */
export class RedisLockStore implements LockStore {
  readonly kind = "redis" as const;
  readonly #batch: Batch;
  readonly #namespace: string;
  readonly #tags: readonly string[];
  readonly #now: (() => number) | undefined;
  /** What those wait for who want to be told, until it is known whether they are. */
  #listening: PromiseWithResolvers<void> | undefined;
  #subscription: Promise<Subscription> | undefined;
  #closed: ClosedBy | undefined;

  constructor(batch: Batch, { namespace, buckets = 1, now }: RedisLockStoreOptions) {
    this.#batch = batch;
    this.#namespace = namespace;
    this.#now = now;
    const width = String(buckets - 1).length;
    this.#tags = Array.from(
      { length: buckets },
      (_, i) => buckets === 1 ? namespace : `${namespace}:${String(i).padStart(width, "0")}`,
    );
  }

  /** Milliseconds after which an operation is given up. */
  get timeout(): number {
    return this.#batch.commandTimeout;
  }

  listen(instance: string, listener: LockListener): Promise<void> {
    const listening = this.#listening ??= Promise.withResolvers();
    this.#subscription ??= this.#subscribe(instance, listener);
    return this.#batch.hold(listening.promise, new Deadline(this.timeout), LISTEN);
  }

  async take({ key, owner, ttl, permits, wait }: TakeRequest, signal?: AbortSignal): Promise<TakeAnswer> {
    const [taken, number, at] = await this.#take("take", { key, owner, permits }, ttl, wait, signal);
    if (taken !== 1) return { retryIn: number, ...(at !== undefined && { at }) };
    this.#heard(number);
    return { token: number };
  }

  async leave(request: Omit<TakeRequest, "wait" | "ttl">): Promise<boolean> {
    const [had] = await this.#take("leave", request, 0, 0, undefined);
    return had === 1;
  }

  async lastRun(key: string, signal?: AbortSignal): Promise<{ at: number | undefined; now: number }> {
    const operation = "read last run";
    this.#assertOpen(operation);
    const route = `{${this.#tagOf(key)}}:lockr:${key}`;
    try {
      const [runs, time] = await Promise.all([
        this.#batch.send("MGET", [route], { operation, signal }),
        this.#batch.send("TIME", [], { operation, signal, route }),
      ]);
      const [value] = runs as [Uint8Array | null];
      const [seconds, microseconds] = (time as [Uint8Array, Uint8Array]).map((part) => Number(decoder.decode(part)));
      const now = this.#now?.() ?? seconds! * 1e6 + microseconds!;
      return { at: value ? Number(decoder.decode(value)) : undefined, now: Math.floor(now / 1000) };
    } catch (error) {
      throw unavailable(error, operation);
    }
  }

  async keepRun({ key, owner, at, keep }: LastRun): Promise<boolean> {
    return await this.#keep(KEEP_RUN, "keep last run", key, [owner, at, keep]);
  }

  async kept(key: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const operation = "read what was done";
    this.#assertOpen(operation);
    try {
      const reply = await this.#batch.send("MGET", [`{${this.#tagOf(key)}}:lockr:${key}`], { operation, signal });
      const [value] = reply as [Uint8Array | null];
      return value?.slice();
    } catch (error) {
      throw unavailable(error, operation);
    }
  }

  async keep({ key, owner, value, for: milliseconds }: KeptValue): Promise<boolean> {
    return await this.#keep(KEEP_DONE, "keep what was done", key, [owner, value, milliseconds]);
  }

  /** Keeps something of what a lock was held for. */
  async #keep(script: Script, operation: string, key: string, args: RedisArgument[]): Promise<boolean> {
    this.#assertOpen(operation);
    const tag = this.#tagOf(key);
    const keys = [`{${tag}}:lock:${key}`, `{${tag}}:lockr:${key}`];
    try {
      const options = { operation, whole: script.isNew(this.#batch) };
      return await script.run(this.#batch, keys, args, options) === 1;
    } catch (error) {
      throw unavailable(error, operation);
    }
  }

  async extend(requests: readonly ExtendRequest[]): Promise<boolean[]> {
    const operation = "extend lock";
    this.#assertOpen(operation);
    const done = new Array<boolean>(requests.length);
    const slots = Map.groupBy(requests.keys(), (i) => this.#tagOf(requests[i]!.key));
    try {
      await Promise.all(Array.from(slots, async ([tag, indexes]) => {
        const keys = indexes.map((i) => `{${tag}}:lock:${requests[i]!.key}`);
        const args = indexes.flatMap((i) => [requests[i]!.owner, requests[i]!.ttl]);
        const options = { operation, whole: EXTEND.isNew(this.#batch) };
        const reply = await EXTEND.run(this.#batch, keys, [this.#time, ...args], options) as number[];
        indexes.forEach((i, at) => done[i] = reply[at] === 1);
      }));
    } catch (error) {
      throw unavailable(error, operation);
    }
    return done;
  }

  assertReplicates(): void {
    assertReplicates(this.#batch.client, "a lock");
  }

  async replicate({ key, owner, ttl }: ExtendRequest, wait: ReplicaWait): Promise<boolean> {
    const operation = "extend lock";
    this.#assertOpen(operation);
    const tag = this.#tagOf(key);
    const replication = new Replication(wait);
    // One that was given by somebody who left is held where it can be extended.
    const args = [this.#time, owner, ttl];
    const keys = [`{${tag}}:lock:${key}`];
    const extended = runReplicated(this.#batch, EXTEND, keys, args, { operation }, tag, replication);
    const [held] = await extended.catch(() => [0]) as number[];
    return held === 1 && await replication.reached();
  }

  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    const subscription = await this.#subscription?.catch(() => undefined);
    await subscription?.[Symbol.asyncDispose]();
  }

  async #take(
    action: "take" | "leave",
    { key, owner, permits }: Omit<TakeRequest, "wait" | "ttl">,
    ttl: number,
    wait: number,
    signal: AbortSignal | undefined,
  ): Promise<[number, number, number?]> {
    const operation = action === "take" ? "acquire lock" : "release lock";
    this.#assertOpen(operation);
    const tag = this.#tagOf(key);
    const keys = [`{${tag}}:lock:${key}`, `{${tag}}:lockq:${key}`];
    // On a cluster only those are counted who listen on the same node.
    const counts = this.#batch.client.cluster ? "0" : "1";
    const args = [this.#time, action, owner, ttl, permits, wait, this.#floor, this.#channel(""), counts];
    let reply: RedisReply;
    try {
      const told = await TAKE.run(this.#batch, keys, args, { operation, signal, whole: TAKE.isNew(this.#batch) });
      reply = withoutForeign(this.#batch, operation, told);
    } catch (error) {
      throw unavailable(error, operation);
    }
    if (Array.isArray(reply) && reply.length >= 2) return reply as [number, number, number?];
    throw new RedisError("ERR the reply about a lock makes no sense");
  }

  /** Subscribes until it is disposed of. Attempts go on where the server refuses it; meanwhile nobody waits for it. */
  #subscribe(instance: string, listener: LockListener): Promise<Subscription> {
    const { client, diagnosis } = this.#batch;
    let heard = false;
    const fail = (error: unknown) => {
      if (heard) return;
      this.#listening?.promise.catch(() => {}); // who waited may have given up
      this.#listening?.reject(error);
      this.#listening = undefined;
    };
    const subscription = client.subscribe(this.#channel(instance), {
      message: (payload) => this.#granted(decoder.decode(payload), listener),
      ready: () => {
        diagnosis.worked(LISTEN);
        if (heard) return listener.again();
        heard = true;
        (this.#listening ??= Promise.withResolvers()).resolve();
      },
      lost: () => {},
      denied: (error) => {
        diagnosis.refused(LISTEN, error);
        fail(error);
      },
    });
    subscription.catch((error) => {
      this.#subscription = undefined;
      fail(error);
    });
    return subscription;
  }

  #granted(message: string, listener: LockListener): void {
    const [owner, token, at] = message.split(" ");
    const grant = { token: Number(token), at: Number(at) };
    if (!Number.isSafeInteger(grant.token) || !Number.isSafeInteger(grant.at)) return void listener.granted(owner!);
    if (listener.granted(owner!, grant)) this.#heard(grant.token);
  }

  /** A fencing number that was given. */
  #heard(token: number): void {
    if (token > this.#floor) highest.set(this.#namespace, token);
  }

  #assertOpen(operation: string): void {
    if (this.#closed) throw new UnavailableError(operation, "closed", { closedBy: this.#closed });
  }

  get #floor(): number {
    return highest.get(this.#namespace) ?? 0;
  }

  get #time(): string {
    return this.#now ? String(this.#now()) : "";
  }

  #channel(instance: string): string {
    return `${this.#namespace}:locks:${instance}`;
  }

  #tagOf(key: string): string {
    return this.#tags[bucketOf(key, this.#tags.length)]!;
  }
}
