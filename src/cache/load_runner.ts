import { type ClosedBy, UnavailableError } from "../errors.ts";
import type { LoadEnd } from "../observe/events.ts";
import { loadTracer } from "../observe/telemetry.ts";
import { BackgroundTurns } from "./background_turns.ts";
import type { Encoded } from "./codec.ts";
import type { CacheContext } from "./cache_context.ts";
import { type Flight, type Outcome, previousOf, type Start } from "./flight.ts";
import { type Heartbeat, Heartbeats } from "./heartbeat.ts";
import { AbsentError, type LoadRequest } from "./load_request.ts";
import { Context } from "./loader_context.ts";
import { Oddities } from "./oddities.ts";
import { lifetimeOf, type Policy } from "./policy.ts";
import { type StandardSchema, validate } from "../values/standard_schema.ts";
import type { Read } from "./store.ts";
import { issueText } from "./values.ts";
import { Run, runAs } from "./waits.ts";

/** Most leases of which it is remembered that their loaders are over though the store could not be told. */
const OVER = 10_000;

/** Runs loaders: one per key at a time in this process, its result shared, its write fenced. */
export class LoadRunner {
  readonly oddities: Oddities;
  readonly #host: CacheContext;
  readonly #flights = new Map<string, Flight>();
  readonly #claimed = new WeakSet<Read>();
  readonly #heartbeats: Heartbeats;
  /** Leases whose loaders are over. */
  readonly #over = new Set<number>();
  readonly #background = new BackgroundTurns();
  readonly #abort = new AbortController();
  #started = 0;

  constructor(host: CacheContext) {
    this.#host = host;
    this.#heartbeats = new Heartbeats(host.store);
    this.oddities = new Oddities(host.on);
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
  claim(key: string, read: Read): boolean {
    if (read.lease === 0 || this.#claimed.has(read)) return false;
    this.#claimed.add(read);
    this.#host.steals.used(key, read);
    return true;
  }

  /** Gives back the lease of a read that its caller no longer waits for, or others would wait for nobody. */
  abandon(key: string, reading: Promise<Read>): void {
    reading.then((read) => {
      if (this.claim(key, read)) this.#release({ key, lease: read.lease }, 0);
    }).catch(() => {}); // then there is none to give back, or the store sees to it
  }

  /** Whether a lease was that of a loader of this process that is over, though the store does not know yet. */
  isOver(lease: number): boolean {
    return this.#over.has(lease);
  }

  /** Keeps those who read without the store's help from joining flights that began before an invalidation. */
  detach(keys?: readonly string[]): void {
    if (keys) { for (const key of keys) this.#detach(this.#flights.get(key)); }
    else for (const flight of this.#flights.values()) this.#detach(flight);
  }

  /** Starts a flight, in place of one whose lease was lost. */
  start<T>(key: string, request: LoadRequest<T>, how: Start<T>): Flight {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const { lease, epoch, clock } = how.fence ?? { lease: 0, epoch: 0, clock: 0 };
    const { version } = request;
    const tags = typeof request.tags === "function" ? [] : request.tags;
    const number = ++this.#started;
    const run = new Run(key);
    const flight: Flight = { key, version, lease, epoch, clock, tags, detached: false, number, run, promise };
    this.#flights.set(key, flight);
    this.#host.stats.loads++;
    promise.catch(() => {}); // a background refresh has nobody who waits
    this.#run(flight, request, how).finally(() => {
      run.over = true;
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    }).then(resolve, reject);
    return flight;
  }

  /** Tells loaders to stop, and gives their leases back. */
  async close(by: ClosedBy = "await using"): Promise<void> {
    this.#abort.abort(new UnavailableError("load", "closed", { closedBy: by }));
    this.#heartbeats.stop();
    // Other processes need not wait for what will not be stored.
    const held = [...this.#flights.values()].filter(({ lease }) => lease !== 0);
    await Promise.all(held.map(({ key, lease }) => this.#host.store.release(key, lease).catch(() => {})));
  }

  #detach(flight: Flight | undefined): void {
    if (flight) flight.detached = true;
  }

  async #run<T>(flight: Flight, request: LoadRequest<T>, how: Start<T>): Promise<Outcome> {
    const { stats, on, retryAfter } = this.#host;
    const { key, lease } = flight;
    const heartbeat = lease === 0 ? undefined : this.#heartbeats.of(key, lease, request.lease);
    const context = new Context<T>(key, previousOf(how), this.#abort.signal, request);
    const pause = how.fallback ? retryAfter : 0;
    try {
      if (how.background) await this.#background.turn(this.#abort.signal);
      void heartbeat?.start();
      return await this.#load(flight, request, how, context, heartbeat, pause);
    } catch (error) {
      if (error instanceof AbsentError) {
        await this.#remove(flight);
        throw error;
      }
      stats.loadErrors++;
      this.#release(flight, pause);
      if (on) on({ type: "cache.load_error", key, error, fallback: how.fallback, background: how.background });
      else if (how.background && !this.#abort.signal.aborted) this.oddities.refreshFailed(key, request.site, error);
      throw error;
    } finally {
      heartbeat?.stop();
    }
  }

  async #load<T>(
    flight: Flight,
    request: LoadRequest<T>,
    how: Start<T>,
    context: Context<T>,
    heartbeat: Heartbeat | undefined,
    pause: number,
  ): Promise<Outcome> {
    const { key, lease } = flight;
    const { schema, version } = request;
    const { background } = how;
    const started = performance.now();
    const value = await this.#call(flight, request, context, background);
    const milliseconds = performance.now() - started;
    const report = (end: LoadEnd) => {
      const { on } = this.#host;
      on?.({ type: "cache.load", key, milliseconds, stored: end === "stored", end, background });
    };
    if (context.skipped) {
      const checked = await this.#checked(key, value, schema);
      this.#release(flight, 0);
      report("skipped");
      return { value: checked, encoded: undefined };
    }
    const kept = context.kept(value);
    if (value === undefined && !kept) {
      await this.#remove(flight);
      this.oddities.absent(key, request.site);
      report("absent");
      return { value, encoded: undefined, absent: true };
    }
    const checked = kept ? kept.value : await this.#checked(key, value, schema);
    flight.tags = context.tags(checked, kept);
    const encoded = kept ?? await this.#encoded(key, value, request);
    if (!encoded) {
      // An older value stands in for a loader that failed. This one did not: who comes next gets nothing older.
      this.#release(flight, background ? pause : 0);
      report("unstorable");
      return { value: checked, encoded };
    }
    const policy = lease === 0 ? request.policy : context.policy(checked);
    heartbeat?.stop();
    report(lease === 0 ? "unavailable" : await this.#store(flight, request, policy, encoded, milliseconds, pause));
    if (!kept) return { value: checked, encoded };
    // The loader may have changed what it was given.
    const again = await this.#host.values.read(key, kept, schema, version);
    return { value: again ? again.value : kept.value, encoded };
  }

  async #call<T>(flight: Flight, request: LoadRequest<T>, context: Context<T>, background: boolean): Promise<T> {
    try {
      return await this.#traced(flight, request, context, background);
    } finally {
      flight.run.over = true; // what it has not awaited may wait for what is left to do
    }
  }

  #traced<T>(flight: Flight, request: LoadRequest<T>, context: Context<T>, background: boolean): T | Promise<T> {
    const began = performance.now();
    try {
      const trace = loadTracer();
      return runAs(
        flight.run,
        () => trace ? trace(background, async () => await request.loader(context)) : request.loader(context),
      );
    } finally {
      this.#background.called(began);
    }
  }

  async #checked<T>(key: string, value: T, schema: StandardSchema<unknown, T> | undefined): Promise<T> {
    if (!schema) return value;
    const result = await validate(schema, value);
    if (result.issues === undefined) return result.value;
    const issues = result.issues.map(issueText).join("; ");
    throw new TypeError(`Cannot cache ${JSON.stringify(key)}: wanted a value that fits the schema, got ${issues}`);
  }

  /** The value as it is stored; `undefined` if it cannot be, and that is no failure. */
  async #encoded<T>(key: string, value: T, request: LoadRequest<T>): Promise<Encoded | undefined> {
    try {
      return await this.#host.values.encode(key, value, request.version);
    } catch (error) {
      if (request.unstorable === "throw") throw error;
      const { on } = this.#host;
      if (on) return void on({ type: "cache.error", operation: "store", key, error });
      this.oddities.unstorable(request.site, error);
    }
  }

  async #store<T>(
    flight: Flight,
    request: LoadRequest<T>,
    policy: Policy,
    { payload, flags }: Encoded,
    loadTime: number,
    pause: number,
  ): Promise<LoadEnd> {
    const { store, stats, early, on } = this.#host;
    const lifetime = lifetimeOf(policy);
    const { key, tags, run } = flight;
    try {
      const entry = { payload, flags, ...lifetime, tags, loadTime };
      if (await store.write(key, entry, flight)) {
        early.stored(key, request.refreshAhead, lifetime.fresh);
        return "stored";
      }
    } catch (error) {
      // The value is good all the same; it only could not be kept.
      stats.errors++;
      if (this.#abort.signal.aborted) {
        // Nobody is there any more.
      } else if (request.failures) request.failures.add("write", key, error);
      else on?.({ type: "cache.error", operation: "write", key, error });
      this.#release(flight, pause);
      return "unavailable";
    }
    stats.refused++;
    if (store.isCurrent(flight)) return "superseded";
    if (run.hasInvalidated(tags)) this.oddities.invalidates(key, request.site);
    return "invalidated";
  }

  /** Takes away what was kept: the source has it no more. */
  async #remove(flight: Flight): Promise<void> {
    const { store, stats, on } = this.#host;
    const { key, lease } = flight;
    if (lease === 0) return;
    try {
      await store.remove(key, lease);
    } catch (error) {
      stats.errors++;
      if (!this.#abort.signal.aborted) on?.({ type: "cache.error", operation: "remove", key, error });
      this.#release(flight, 0);
    }
  }

  /** Gives a lease back. Where the store cannot be told, this process knows all the same that nobody holds it. */
  #release({ key, lease }: { readonly key: string; readonly lease: number }, pause: number): void {
    if (lease === 0) return;
    this.#over.add(lease);
    if (this.#over.size > OVER) this.#over.delete(this.#over.values().next().value!);
    this.#host.store.release(key, lease, pause).then(() => this.#over.delete(lease), () => {});
  }
}
