import { Cache } from "../../../src/cache/cache.ts";
import type { CacheOptions } from "../../../src/cache/options.ts";
import type { CacheStore } from "../../../src/cache/store.ts";
import type { LarderEvent } from "../../../src/observe/events.ts";
import { WITH_LOCAL } from "../../support/contract_target.ts";
import type { Harness } from "./harness.ts";

// Taken before any test can put fake timers in their place.
const { setTimeout, clearTimeout } = globalThis;
/** What has not happened after so many milliseconds does not happen: a test must not wait for ever. */
const PATIENCE = 60_000;

/** Keeps the events of a cache. */
export class Events implements AsyncDisposable {
  readonly all: LarderEvent[] = [];
  #waiting: { type: string; count: number; late: ReturnType<typeof setTimeout>; resolve: () => void }[] = [];

  readonly on = (event: LarderEvent): void => {
    this.all.push(event);
    this.#waiting = this.#waiting.filter(({ type, count, late, resolve }) => {
      if (this.count(type) < count) return true;
      clearTimeout(late);
      resolve();
      return false;
    });
  };

  /** The events of one type. */
  of<Type extends LarderEvent["type"]>(type: Type): Extract<LarderEvent, { type: Type }>[] {
    return this.all.filter((event) => event.type === type) as Extract<LarderEvent, { type: Type }>[];
  }

  /** How many there are of a type. */
  count(type: string): number {
    return this.all.filter((event) => event.type === type).length;
  }

  /** Resolves when there have been so many of a type. */
  until(type: LarderEvent["type"], count: number): Promise<void> {
    if (this.count(type) >= count) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`There were no ${count} events ${type}`)), PATIENCE);
      this.#waiting.push({ type, count, late, resolve });
    });
  }

  /** Nobody waits any more. */
  [Symbol.asyncDispose](): Promise<void> {
    for (const { late } of this.#waiting) clearTimeout(late);
    return Promise.resolve();
  }
}

/** A cache over a store, with its events. */
export interface Opened {
  readonly cache: Cache;
  readonly store: CacheStore;
  readonly events: Events;
}

/** Opens a cache on the data of a harness, as one more process would. */
export async function openOnHarness(
  harness: Pick<Harness, "open" | "caches">,
  options: CacheOptions = {},
): Promise<Opened> {
  const events = new Events();
  const store = await harness.open(events.on);
  const cache = new Cache(store, { ...(WITH_LOCAL && { local: true }), ...options }, events.on);
  harness.caches.push(cache, events);
  return { cache, store, events };
}

/** A loader that waits until it is told what to do, and counts its calls. */
export class Gate<T> {
  calls = 0;
  #started = Promise.withResolvers<void>();
  #results = Promise.withResolvers<T>();

  readonly load = (): Promise<T> => {
    this.calls++;
    this.#started.resolve();
    return this.#results.promise;
  };

  /** Resolves when the loader was called. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Lets the loader give a value. */
  open(value: T): void {
    this.#results.resolve(value);
  }

  /** Lets the loader fail. */
  fail(error: unknown): void {
    this.#results.promise.catch(() => {});
    this.#results.reject(error);
  }
}

/** Real milliseconds, where nothing else will do. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** How a promise ended, as in `"value 1"` or `"error: no"`. */
export async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    return `value ${await promise}`;
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : error}`;
  }
}

/** A number that each call raises, and that can be told to fail. */
export class Source {
  value = 0;
  calls = 0;
  down = false;

  readonly load = (): number => {
    this.calls++;
    if (this.down) throw new Error("the source is down");
    return ++this.value;
  };
}
