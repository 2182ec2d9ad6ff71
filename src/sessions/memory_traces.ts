import type { SealedStep } from "./store.ts";

/** What became of a handle that is gone. */
interface Trace {
  /** `renewed` for the same user, replaced by a `login`, or `ended`. */
  readonly what: "renewed" | "login" | "ended";
  /** What is in its place. */
  readonly step?: SealedStep;
  readonly until: number;
}

/** Most handles between one and what is in its place. */
const STEPS = 100;

/** Remembers for a while what became of handles that are gone. */
export class MemoryTraces {
  readonly #traces = new Map<string, Trace>();
  #sweepAt = 1000;

  /** Remembers what became of a handle until that time; where `from` came in its place before, that ended. */
  add(handle: string, trace: Trace, now: number, from: string = handle): void {
    if (from !== handle) this.add(from, { what: "ended", until: trace.until }, now);
    this.#traces.delete(handle);
    if (trace.until <= now) return;
    this.#traces.set(handle, trace);
    if (this.#traces.size < this.#sweepAt) return;
    for (const [other, { until }] of this.#traces) if (until <= now) this.#traces.delete(other);
    this.#sweepAt = Math.max(1000, 2 * this.#traces.size);
  }

  /**
   * What is in the place of a handle, if anything is, and whether the handle is remembered. Only a login goes past a
   * login.
   */
  follow<T>(
    handle: string,
    find: (handle: string) => T | undefined,
    now: number,
    login: boolean = false,
  ): { readonly found?: T; readonly steps: readonly SealedStep[]; readonly known: boolean } {
    const steps: SealedStep[] = [];
    let [at, known] = [handle, false];
    while (steps.length < STEPS) {
      const trace = this.#traces.get(at);
      if (!trace || trace.until <= now) break;
      known = true;
      if (!trace.step || trace.what === "login" && !login) break;
      steps.push(trace.step);
      at = trace.step.handle;
      const found = find(at);
      if (found !== undefined) return { found, steps, known };
    }
    return { steps, known };
  }

  /** Whatever leads to one of these handles leads nowhere from now on. */
  cut(handles: ReadonlySet<string>): void {
    const lost = new Set(handles);
    // What leads to another was remembered before that.
    for (const [handle, trace] of [...this.#traces].reverse()) {
      if (!trace.step || !lost.has(trace.step.handle)) continue;
      lost.add(handle);
      this.#traces.set(handle, { what: "ended", until: trace.until });
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#traces.clear();
  }
}
