import { clearTimeout, setTimeout } from "../util/real_timers.ts";
import { unref } from "../util/timers.ts";
import { Batch } from "./batch.ts";
import type { RedisClient } from "./client.ts";

/** On how many replicas a write has to be, and how long to wait for that. */
export interface ReplicaWait {
  /** How many replicas. */
  readonly replicas: number;
  /** Milliseconds, at least 1. */
  readonly timeout: number;
}

/** Somebody who waits. */
interface Waiter extends ReplicaWait {
  readonly end: (count: number) => void;
}

/** Milliseconds after which what marks the end of the writes is gone. */
const MARK_KEPT = 1;
/** Milliseconds that the server has to say that it was not in time. */
const SPARE = 1000;
/** The longest that anybody waits, in milliseconds. */
const LONGEST = 120_000;

/**
 * Waits until replicas have what was written before (`WAIT`), on a connection of its own, on which the server
 * answers nothing else meanwhile. It is opened for the first who waits. All who come while others wait share the next
 * round.
 *
 * `WAIT` is about the writes of its own connection: so each round writes a key in front, which replicas have only after
 * all that was written earlier, over whatever connection.
 */
export class ReplicaWaiter implements AsyncDisposable {
  readonly #client: RedisClient;
  readonly #mark: string;
  #batch: Promise<Batch> | undefined;
  #waiting: Waiter[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  /**
   * Creates one. Nothing is opened.
   *
   * @param client The client that writes; it has to know how to open another connection.
   * @param mark The key that is written, for a moment; on a cluster, in the slot of what was written.
   */
  constructor(client: RedisClient, mark: string) {
    this.#client = client;
    this.#mark = mark;
  }

  /**
   * Waits until so many replicas have all that was written before this call.
   *
   * @param wait How many, and for how long.
   * @returns How many replicas have it; 0 where nobody knows.
   */
  wait({ replicas, timeout }: ReplicaWait): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const late = setTimeout(() => resolve(0), timeout + SPARE);
    unref(late);
    const end = (count: number) => (clearTimeout(late), resolve(count));
    if (this.#closed) end(0);
    else this.#waiting.push({ replicas, timeout, end });
    this.#running ??= Promise.resolve().then(() => this.#run());
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const batch = await this.#batch?.catch(() => undefined);
    await batch?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiters = this.#waiting;
      this.#waiting = [];
      const replicas = Math.max(...waiters.map(({ replicas }) => replicas));
      const timeout = Math.max(...waiters.map(({ timeout }) => timeout));
      const count = await this.#ask(replicas, timeout).catch(() => 0);
      for (const { end } of waiters) end(count);
    }
    this.#running = undefined;
  }

  async #ask(replicas: number, timeout: number): Promise<number> {
    const batch = await (this.#batch ??= this.#open().catch((error) => {
      this.#batch = undefined;
      throw error;
    }));
    const operation = "wait for replicas";
    const within = timeout + SPARE;
    try {
      const [, count] = await Promise.all([
        batch.send("PSETEX", [this.#mark, MARK_KEPT, ""], { operation, timeout: within }),
        batch.send("WAIT", [replicas, timeout], { operation, timeout: within, route: this.#mark }),
      ]);
      return typeof count === "number" ? count : 0;
    } catch {
      // What is silent may stay so: the next round has another connection.
      this.#batch = undefined;
      await batch.close();
      return 0;
    }
  }

  async #open(): Promise<Batch> {
    const client = await this.#client.apart!();
    const batch = new Batch(client, { commandTimeout: LONGEST });
    if (this.#closed) await batch.close();
    return batch;
  }
}
