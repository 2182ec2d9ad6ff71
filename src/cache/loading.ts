import { unawaited } from "../callbacks.ts";
import type { Duration } from "../duration.ts";
import { type ClosedBy, UnavailableError } from "../errors.ts";
import type { EventListener } from "../events.ts";
import { assertTags } from "../keys.ts";
import { loadTracer } from "../telemetry.ts";
import type { Encoded } from "./codec.ts";
import type { Loader, LoaderContext } from "./options.ts";
import { lifetimeOf, type LoadPolicy, type Policy, ttlOf } from "./policy.ts";
import { type StandardSchema, validate } from "./standard_schema.ts";
import type { StatsCounter } from "./stats.ts";
import type { CacheStore, Fence, Read } from "./store.ts";
import { type Found, issueText, type Values } from "./values.ts";
import { unref } from "../timers.ts";

/** What a loader's run is to do, resolved from the options of `getOrSet`. */
export interface LoadRequest<T> extends LoadPolicy {
  /** The loader. */
  readonly loader: Loader<T>;
  /** How long the value is kept. */
  readonly policy: Policy;
  /** How long this very value is fresh; instead of the policy's ttl. */
  readonly ttl?: ((value: T) => Duration) | undefined;
  /** Its tags, or the function that gives them. */
  readonly tags: readonly string[] | ((value: T, key: string) => readonly string[]);
  /** What the value must fit. */
  readonly schema: StandardSchema<unknown, T> | undefined;
  /** Whether to wait for another process that loads. */
  readonly lock: boolean;
  /** Whether the caller knows what to do with an {@linkcode AbsentError}. */
  readonly absent?: boolean;
}

/** A loader of several found nothing under this key, which is nobody's fault and is not kept. */
export class AbsentError extends Error {
  override readonly name: string = "AbsentError";
}

/** What a loader gave. */
export interface Outcome {
  /** The value. */
  readonly value: unknown;
  /** The same, encoded; absent when the loader asked not to store it. */
  readonly encoded: Encoded | undefined;
}

/** A loader that runs on behalf of all who wait for it. */
export interface Flight extends Fence {
  /** The key. */
  readonly key: string;
  /** The tags, as far as they are known. */
  tags: readonly string[];
  /** Whether an invalidation in this process came after it began. */
  detached: boolean;
  /** How many had been started when it was; see {@linkcode Loading.started}. */
  readonly number: number;
  /** What it gives. */
  readonly promise: Promise<Outcome>;
}

/** How a flight is started. */
interface Start {
  /** The read that missed; without it, nothing is stored. */
  readonly fence: Fence | undefined;
  /** The previous value. */
  readonly previous: Found<unknown>;
  /** Whether nobody waits for it. */
  readonly background: boolean;
  /** Whether a failure leaves something to be served, so that the next attempt can wait. */
  readonly fallback: boolean;
}

interface Host {
  readonly store: CacheStore;
  readonly values: Values;
  readonly stats: StatsCounter;
  readonly retryAfter: number;
  readonly on: EventListener | undefined;
}

/** Runs loaders: one per key at a time in this process, its result shared, its write fenced. */
export class Loading {
  readonly #host: Host;
  readonly #flights = new Map<string, Flight>();
  readonly #claimed = new WeakSet<Read>();
  readonly #heartbeats = new Set<ReturnType<typeof setInterval>>();
  readonly #abort = new AbortController();
  #started = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** How many were started so far. A flight whose number is higher began later. */
  get started(): number {
    return this.#started;
  }

  /** How many are running. */
  get size(): number {
    return this.#flights.size;
  }

  /** The flight for a key, if there is one. */
  get(key: string): Flight | undefined {
    return this.#flights.get(key);
  }

  /** Whether the lease that a read was granted is the caller's: of several who share the read, the first one's. */
  claim(read: Read): boolean {
    if (read.lease === 0 || this.#claimed.has(read)) return false;
    this.#claimed.add(read);
    return true;
  }

  /** Gives back the lease of a read that its caller no longer waits for, or others would wait for nobody. */
  abandon(key: string, reading: Promise<Read>): void {
    reading.then(async (read) => {
      if (this.claim(read)) await this.#host.store.release(key, read.lease);
    }).catch(() => {}); // then the lease ends by itself
  }

  /** Keeps those who read without the store's help from joining flights that began before an invalidation. */
  detach(keys?: readonly string[]): void {
    if (keys) { for (const key of keys) this.#detach(this.#flights.get(key)); }
    else for (const flight of this.#flights.values()) this.#detach(flight);
  }

  /** Starts a flight, in place of one whose lease was lost. */
  start<T>(key: string, request: LoadRequest<T>, how: Start): Flight {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const { lease, epoch, clock } = how.fence ?? { lease: 0, epoch: 0, clock: 0 };
    const tags = typeof request.tags === "function" ? [] : request.tags;
    const flight: Flight = { key, lease, epoch, clock, tags, detached: false, number: ++this.#started, promise };
    this.#flights.set(key, flight);
    promise.catch(() => {}); // a background refresh has nobody who waits
    this.#run(flight, request, how).finally(() => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    }).then(resolve, reject);
    return flight;
  }

  /** Tells loaders to stop, and gives their leases back. */
  async close(by: ClosedBy = "await using"): Promise<void> {
    this.#abort.abort(new UnavailableError("load", "closed", { closedBy: by }));
    for (const heartbeat of this.#heartbeats) clearInterval(heartbeat);
    // Other processes need not wait for what will not be stored.
    const held = [...this.#flights.values()].filter(({ lease }) => lease !== 0);
    await Promise.all(held.map(({ key, lease }) => this.#host.store.release(key, lease).catch(() => {})));
  }

  #detach(flight: Flight | undefined): void {
    if (flight) flight.detached = true;
  }

  async #run<T>(flight: Flight, request: LoadRequest<T>, how: Start): Promise<Outcome> {
    const { store, stats, on, retryAfter } = this.#host;
    const { key, lease } = flight;
    const heartbeat = lease === 0 ? undefined : setInterval(
      () => void store.extend(key, lease, request.lease).catch(() => {}), // the fence decides at the end
      Math.max(10, request.lease / 3),
    );
    if (heartbeat !== undefined) {
      unref(heartbeat);
      this.#heartbeats.add(heartbeat);
    }
    const started = performance.now();
    const context = new Context<T>(key, how.previous as Found<T>, this.#abort.signal, request);
    stats.loads++;
    try {
      const trace = loadTracer();
      const value = trace
        ? await trace(how.background, async () => await request.loader(context))
        : await request.loader(context);
      const milliseconds = performance.now() - started;
      const checked = await this.#checked(key, value, request.schema);
      if (context.skipped) {
        this.#release(flight, 0);
        on?.({ type: "cache.load", key, milliseconds, stored: false, background: how.background });
        return { value: checked, encoded: undefined };
      }
      flight.tags = context.tags(checked);
      const encoded = await this.#host.values.codec.encode(value, JSON.stringify(key));
      const stored = lease !== 0 && await this.#store(flight, context.policy(checked), encoded, milliseconds);
      on?.({ type: "cache.load", key, milliseconds, stored, background: how.background });
      return { value: checked, encoded };
    } catch (error) {
      if (error instanceof AbsentError) {
        this.#release(flight, 0);
        throw error;
      }
      stats.loadErrors++;
      this.#release(flight, how.fallback ? retryAfter : 0);
      on?.({ type: "cache.load_error", key, error, fallback: how.fallback, background: how.background });
      throw error;
    } finally {
      clearInterval(heartbeat);
      if (heartbeat !== undefined) this.#heartbeats.delete(heartbeat);
    }
  }

  async #checked<T>(key: string, value: T, schema: StandardSchema<unknown, T> | undefined): Promise<T> {
    if (!schema) return value;
    const result = await validate(schema, value);
    if (result.issues === undefined) return result.value;
    const issues = result.issues.map(issueText).join("; ");
    throw new TypeError(`Cannot cache ${JSON.stringify(key)}: wanted a value that fits the schema, got ${issues}`);
  }

  async #store(flight: Flight, policy: Policy, encoded: Encoded, loadTime: number): Promise<boolean> {
    const { store, stats, on } = this.#host;
    try {
      const entry = { ...encoded, ...lifetimeOf(policy), tags: flight.tags, loadTime };
      const stored = await store.write(flight.key, entry, flight);
      if (!stored) stats.refused++;
      return stored;
    } catch (error) {
      // The value is good all the same; it only could not be kept.
      stats.errors++;
      if (!this.#abort.signal.aborted) on?.({ type: "cache.error", operation: "write", key: flight.key, error });
      return false;
    }
  }

  #release(flight: Flight, pause: number): void {
    if (flight.lease === 0) return;
    // Where the store cannot be told, the lease ends by itself.
    this.#host.store.release(flight.key, flight.lease, pause).catch(() => {});
  }
}

/** What one run of a loader says and is told. */
class Context<T> implements LoaderContext<T> {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly #previous: Found<T>;
  #policy: Policy;
  #ttlOf: ((value: T) => Duration) | undefined;
  #tags: readonly string[] | ((value: T, key: string) => readonly string[]);
  #skipped = false;

  constructor(key: string, previous: Found<T>, signal: AbortSignal, request: LoadRequest<T>) {
    this.key = key;
    this.signal = signal;
    this.#previous = previous;
    this.#policy = request.policy;
    this.#ttlOf = request.ttl;
    this.#tags = request.tags;
    // So that they can be taken off: `({ skip }) => skip(1)`.
    this.notModified = this.notModified.bind(this);
    this.skip = this.skip.bind(this);
    this.setTtl = this.setTtl.bind(this);
    this.setTags = this.setTags.bind(this);
  }

  get stale(): T | undefined {
    return this.#previous?.value;
  }

  policy(value: T): Policy {
    return this.#ttlOf === undefined ? this.#policy : { ...this.#policy, ttl: ttlOf(unawaited(this.#ttlOf(value))) };
  }

  get skipped(): boolean {
    return this.#skipped;
  }

  notModified(): unknown extends T ? never : T {
    if (!this.#previous) {
      throw new TypeError(`Cannot keep ${JSON.stringify(this.key)}: wanted a previous value, got none`);
    }
    return this.#previous.value as unknown extends T ? never : T;
  }

  skip<Skipped extends T>(value: Skipped): Skipped {
    this.#skipped = true;
    return value;
  }

  setTtl(ttl: Duration): void {
    this.#policy = { ...this.#policy, ttl: ttlOf(ttl) };
    this.#ttlOf = undefined;
  }

  setTags(tags: readonly string[]): void {
    this.#tags = assertTags(tags, "set the tags");
  }

  tags(value: T): readonly string[] {
    return typeof this.#tags === "function"
      ? assertTags(unawaited(this.#tags(value, this.key)), "use the tags")
      : this.#tags;
  }
}
