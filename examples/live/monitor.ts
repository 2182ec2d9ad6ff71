import type { Health, Larder } from "@larder/larder";
import { percentile } from "../catalogue/latencies.ts";
import type { Origin } from "../catalogue/origin.ts";
import type { Readers } from "./readers.ts";

/** What happened in one second. */
export interface Sample {
  /** When it ended, in milliseconds since 1970. */
  at: number;
  /** Reads by what they found. */
  fresh: number;
  stale: number;
  /** Of those that found nothing, those who were given what another caller's loader returned. */
  shared: number;
  /** The others. */
  misses: number;
  /** Milliseconds that half of the reads took at most, and 99 of 100; `null` when there were none. */
  p50: number | null;
  p99: number | null;
  /** Milliseconds of a round trip to Redis, on average; `null` when there were none. */
  redis: number | null;
  /** Requests to the origin. */
  origin: number;
  status: Health["status"];
}

/** How many samples are kept. */
const MOST = 120;
const SECOND = 1000;

/** What is told to whom. */
export interface MonitorListener {
  sample(sample: Sample): void;
  health(health: Health): void;
}

/**
 * Looks at the figures of Larder every second while somebody watches, and at once when told that something happened.
 */
export class Monitor {
  /** The samples of the last two minutes in which somebody watched. */
  readonly samples: Sample[] = [];
  /** How things stood last. */
  health: Health | undefined;
  readonly #redis: Pick<Larder, "cache" | "health" | "metrics">;
  readonly #origin: Origin;
  readonly #readers: Readers;
  readonly #listener: MonitorListener;
  #before: Counts;
  #timer: ReturnType<typeof setInterval> | undefined;
  #checking: Promise<Health> | undefined;

  constructor(
    redis: Pick<Larder, "cache" | "health" | "metrics">,
    origin: Origin,
    readers: Readers,
    listener: MonitorListener,
  ) {
    this.#redis = redis;
    this.#origin = origin;
    this.#readers = readers;
    this.#listener = listener;
    this.#before = this.#counts();
  }

  /** Looks every second from now on. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#before = this.#counts();
    this.#readers.take();
    this.#timer = setInterval(() => void this.#sample(), SECOND);
    void this.check();
  }

  /** Looks no more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Asks how things stand now, and tells. Whoever asks meanwhile is given the same answer. */
  check(): Promise<Health> {
    return this.#checking ??= this.#check().finally(() => this.#checking = undefined);
  }

  async #check(): Promise<Health> {
    const health = this.health = await this.#redis.health();
    this.#listener.health(health);
    return health;
  }

  async #sample(): Promise<void> {
    const { status } = await this.check();
    if (this.#timer === undefined) return;
    const [now, before] = [this.#counts(), this.#before];
    this.#before = now;
    const durations = this.#readers.take();
    const trips = now.trips - before.trips;
    const misses = now.misses - before.misses;
    const shared = Math.min(misses, now.coalesced - before.coalesced);
    const sample: Sample = {
      at: Date.now(),
      fresh: now.hits - before.hits,
      stale: now.stale - before.stale,
      shared,
      misses: misses - shared,
      p50: durations.length > 0 ? percentile(durations, 0.5) : null,
      p99: durations.length > 0 ? percentile(durations, 0.99) : null,
      redis: trips > 0 ? (now.seconds - before.seconds) / trips * SECOND : null,
      origin: now.origin - before.origin,
      status,
    };
    this.samples.push(sample);
    if (this.samples.length > MOST) this.samples.shift();
    this.#listener.sample(sample);
  }

  #counts(): Counts {
    const { hits, stale, misses, coalesced } = this.#redis.cache.stats();
    const latencies = this.#redis.metrics().flatMap(({ latencies }) => latencies).filter(({ operation }) =>
      operation !== "check health" // which asks for all figures of the server
    );
    const sum = (of: (latency: (typeof latencies)[number]) => number) =>
      latencies.reduce((all, one) => all + of(one), 0);
    const [trips, seconds] = [sum(({ count }) => count), sum(({ sum }) => sum)];
    return { hits, stale, misses, coalesced, trips, seconds, origin: this.#origin.calls };
  }
}

interface Counts {
  hits: number;
  stale: number;
  misses: number;
  coalesced: number;
  trips: number;
  seconds: number;
  origin: number;
}
