import { describe } from "../util/describe.ts";
import type { EventListener } from "../observe/events.ts";

/** Milliseconds in which a callback that fails is told of once: whoever makes it fail must not fill the log. */
const QUIET = 60_000;

/** Milliseconds that the callbacks of one request have together: a request must not hang because one of them does. */
const PATIENCE = 2000;

/** Asks what users of a guard have given it, so that nothing that they do ends a request. */
export class Callbacks {
  readonly #on: EventListener | undefined;
  /** When it was told last that one failed. There are as many as callbacks. */
  readonly #told = new Map<string, number>();

  constructor(on: EventListener | undefined) {
    this.#on = on;
  }

  /** When callbacks that are asked from now on have to have answered, by `performance.now()`. */
  until(): number {
    return performance.now() + PATIENCE;
  }

  /** What a callback says; where it throws, or says nothing until then, that which is safe. */
  async ask<Value>(
    what: string,
    route: string,
    until: number,
    call: () => Value | Promise<Value>,
    otherwise: Value,
  ): Promise<Value> {
    try {
      const answer = call();
      return isPromise(answer) ? await within(answer, until - performance.now()) : answer;
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

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** Waits for so many milliseconds. */
async function within<Value>(answer: PromiseLike<Value>, milliseconds: number): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const why = `wanted an answer within ${PATIENCE / 1000} s for all callbacks of a request`;
    timer = setTimeout(() => reject(new Error(why)), Math.max(0, milliseconds));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
