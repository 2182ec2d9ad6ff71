import { describe } from "../util/describe.ts";
import type { EventListener } from "../observe/events.ts";

/** Milliseconds in which a callback that fails is told of once: whoever makes it fail must not fill the log. */
const QUIET = 60_000;

/** Asks what users of a guard have given it, so that nothing that they do ends a request. */
export class Callbacks {
  readonly #on: EventListener | undefined;
  /** When it was told last that one failed. There are as many as callbacks. */
  readonly #told = new Map<string, number>();

  constructor(on: EventListener | undefined) {
    this.#on = on;
  }

  /** What a callback says; where it throws, that which is safe. */
  async ask<Value>(
    what: string,
    route: string,
    call: () => Value | Promise<Value>,
    otherwise: Value,
  ): Promise<Value> {
    try {
      return await call();
    } catch (error) {
      this.warn(what, route, error instanceof Error ? error.message : describe(error));
      return otherwise;
    }
  }

  /** Tells that a callback failed. */
  warn(what: string, route: string, why: string): void {
    const key = `${what} ${route}`;
    const now = performance.now();
    if (now - (this.#told.get(key) ?? -QUIET) < QUIET) return;
    this.#told.set(key, now);
    this.#on?.({ type: "warning", message: `Cannot use "${what}" of the guard on ${describe(route)}: ${why}` });
  }
}
