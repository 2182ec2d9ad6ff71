import type { RedisStore } from "../cache/redis/store.ts";
import { UnavailableError } from "../errors.ts";
import { Fleet } from "./fleet.ts";
import { RedisLimitStore } from "../rate_limit/redis/store.ts";
import type { Batch } from "../redis/batch.ts";
import { Rights } from "./rights.ts";
import { unref } from "../util/timers.ts";
import { RedisSessionStore } from "../sessions/redis/store.ts";

/** What is on a server. */
export interface ProbesOptions {
  /** The first part of all keys. */
  readonly namespace: string;
  /** Over how many buckets they are spread. */
  readonly buckets: number;
  /** Milliseconds after which a limit is given up, if that was said. */
  readonly limitTimeout: number | undefined;
  /** Whether the cache is there. */
  readonly cached: boolean;
  /** The cache, once it was used: its first read writes the records of invalidations. */
  readonly cache: () => RedisStore | undefined;
  /** Whether sessions and limits are there. */
  readonly state: boolean;
  /** Told when other processes do not fit this one. */
  readonly warn: (message: string) => void;
}

/** When a process makes itself heard for the first time, in milliseconds. Who ends sooner has nothing to tell. */
const ANNOUNCED_AFTER = 1000;
/** How often after that. */
const ANNOUNCED_EVERY = 300_000;
/** An entry, a session and an identity that are never there. */
const KEY = "~health";
const HANDLE = "0".repeat(64);
const RULE = { name: KEY, algorithm: "fixed-window", limit: 1, window: 1000, burst: 1 } as const;

/** Finds out whether the services can do on a server what they have to, and whether its processes fit together. */
export class Probes {
  readonly fleet: Fleet;
  readonly rights: Rights;
  readonly #batch: Batch;
  readonly #cache: () => RedisStore | undefined;
  readonly #sessions: RedisSessionStore | undefined;
  readonly #limits: RedisLimitStore | undefined;
  /** The same for who waits: that limits are given up sooner than Redis can answer is no reason to wait for ever. */
  readonly #patientLimits: RedisLimitStore | undefined;
  /** A key of each bucket: on a cluster they are on different nodes. */
  readonly #buckets: readonly string[];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(batch: Batch, options: ProbesOptions) {
    const { namespace, buckets, cache, cached, state, warn, limitTimeout } = options;
    this.#batch = batch;
    this.#cache = cache;
    this.#sessions = state ? new RedisSessionStore(batch, { namespace, buckets }) : undefined;
    this.#limits = state
      ? new RedisLimitStore(batch, { namespace, buckets, ...(limitTimeout !== undefined && { timeout: limitTimeout }) })
      : undefined;
    this.#patientLimits = state
      ? new RedisLimitStore(batch, { namespace, buckets, timeout: batch.commandTimeout })
      : undefined;
    this.fleet = new Fleet(batch, { namespace, buckets }, warn);
    this.rights = new Rights(batch, { namespace, buckets, cache: cached, state });
    const width = String(buckets - 1).length;
    this.#buckets = buckets === 1
      ? []
      : Array.from({ length: buckets }, (_, i) => `{${namespace}:${String(i).padStart(width, "0")}}:p`);
  }

  /** Makes this process heard, soon and then now and then. */
  start(): void {
    // Who spreads the keys over several buckets is heard at once by those who come later and do not.
    if (this.#buckets.length > 0) this.#announce();
    this.#announceIn(ANNOUNCED_AFTER * (this.#buckets.length > 0 ? 2 : 1));
  }

  /**
   * Does what the services do, all in one round trip: reads as each of them reads, writes by a script, asks for a key
   * of each bucket.
   *
   * @param signal Ends the wait.
   * @param patient Whether limits have the deadline of commands instead of their own.
   * @returns What failed, each kind once.
   */
  async run(signal?: AbortSignal, patient: boolean = false): Promise<unknown[]> {
    const batch = this.#batch;
    const limits = patient ? this.#patientLimits : this.#limits;
    const results = await Promise.allSettled([
      this.fleet.announce(signal),
      this.#cache()?.read(KEY),
      this.#sessions?.read(HANDLE, "peek", { signal }),
      limits?.run([{ rule: RULE, id: KEY, action: "peek", cost: 1 }], signal),
      ...this.#buckets.map((key) => batch.send("EXISTS", [key], { operation: "reach all buckets", signal })),
    ]);
    const errors = results.flatMap((result) => result.status === "rejected" ? [result.reason as unknown] : []);
    signal?.throwIfAborted();
    if (errors.length === 0) batch.diagnosis.recovered();
    return errors.filter((error, i) => errors.findIndex((other) => kindOf(other) === kindOf(error)) === i);
  }

  #announceIn(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      this.#announce();
      this.#announceIn(ANNOUNCED_EVERY);
    }, milliseconds);
    unref(this.#timer);
  }

  #announce(): void {
    this.fleet.announce().catch(() => {}); // health() tells what is wrong
  }

  /** Ends, and tells the others that this process is gone. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.fleet.leave();
    await this.#limits?.[Symbol.asyncDispose]();
    await this.#patientLimits?.[Symbol.asyncDispose]();
  }
}

function kindOf(error: unknown): string {
  if (error instanceof UnavailableError) return error.code ?? error.reason;
  const { code, name } = error as { code?: string; name?: string };
  return code ?? name ?? "";
}
