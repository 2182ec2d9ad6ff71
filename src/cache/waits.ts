import { AsyncLocalStorage } from "node:async_hooks";
import { LoaderCycleError } from "../errors.ts";
import { endLeak, heldOutside } from "../util/leaked_context.ts";

/** Which loader the code that asks runs in, whatever it has awaited meanwhile. */
const running = new AsyncLocalStorage<Run>();

/**
 * A loader that runs, and the loaders that it waits for. One of several keys is waited for by a run for each of them,
 * and has no key itself. There may be very many at a time, so nothing is kept of what most of them do not do.
 */
export class Run {
  /** The key that is loaded. */
  readonly key: string | undefined;
  /** Whether it has ended. What it has started and not awaited may go on. */
  over = false;
  /** The loader of several keys that loads this one. */
  within: Run | undefined = undefined;
  /** Whether others seem to be within it who are not, so that nobody knows who is. */
  leaked = false;
  #invalidated: Set<string> | undefined = undefined;
  #waits: Map<Run, number> | undefined = undefined;

  constructor(key: string | undefined) {
    this.key = key;
  }

  /** Notes tags that it invalidates itself. */
  invalidates(tags: readonly string[]): void {
    this.#invalidated ??= new Set();
    for (const tag of tags) this.#invalidated.add(tag);
  }

  /** Whether it has invalidated one of these tags itself. */
  hasInvalidated(tags: readonly string[]): boolean {
    const invalidated = this.#invalidated;
    return invalidated !== undefined && tags.some((tag) => invalidated.has(tag));
  }

  /** Notes that it waits for another. */
  wait(other: Run): void {
    this.#waits ??= new Map();
    this.#waits.set(other, (this.#waits.get(other) ?? 0) + 1);
  }

  /** One wait is over. */
  go(other: Run): void {
    const waits = this.#waits?.get(other) ?? 0;
    if (waits > 1) this.#waits!.set(other, waits - 1);
    else this.#waits?.delete(other);
  }

  /** The runs from this one to another that it waits for, directly or through others; `undefined` if it does not. */
  pathTo(other: Run, seen: Set<Run> = new Set()): Run[] | undefined {
    if (this === other) return [this];
    seen.add(this);
    for (const next of this.#next()) {
      const path = next.over || seen.has(next) ? undefined : next.pathTo(other, seen);
      if (path) return [this, ...path];
    }
  }

  *#next(): Generator<Run> {
    if (this.within) yield this.within;
    if (this.#waits) yield* this.#waits.keys();
  }
}

/** The loader within which this is called, if one is running. */
export function currentRun(): Run | undefined {
  const run = running.getStore();
  return run?.over || run?.leaked ? undefined : run;
}

/**
 * Whether this was called by somebody who only seemed to be within a loader, since the runtime handed its context on
 * ({@linkcode endLeak}). Nobody is taken to be within it from then on.
 */
export async function wasLeaked(): Promise<boolean> {
  const run = running.getStore();
  if (!run || await heldOutside(running) !== run) return false;
  run.leaked = true;
  endLeak(running);
  return true;
}

/** Runs a loader. What it calls knows that. */
export function runAs<T>(run: Run, load: () => T): T {
  return running.run(run, load);
}

/**
 * Notes that the loader within which this is called waits for another; dispose of what it gives when the wait is over.
 *
 * @throws {LoaderCycleError} If the other one waits for this one.
 */
export function waitFor(other: Run): Disposable | undefined {
  const current = currentRun();
  if (!current || other.over) return undefined;
  const path = other.pathTo(current);
  if (path) {
    const keys = path.map(({ key }) => key).filter((key) => key !== undefined);
    throw new LoaderCycleError([current.key ?? keys.at(-1)!, ...keys]);
  }
  current.wait(other);
  return { [Symbol.dispose]: () => current.go(other) };
}
