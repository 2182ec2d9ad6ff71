import { describe, messageOf } from "../util/describe.ts";
import type { EventListener } from "../observe/events.ts";
import { answeredBy, PATIENCE } from "../util/answered.ts";

/** Milliseconds in which a callback that fails is told of once: whoever makes it fail must not fill the log. */
const QUIET = 60_000;

/** A request must not hang because one of its callbacks does. */
const WANTED = `wanted an answer within ${PATIENCE / 1000} s for all callbacks of a request`;

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
      return isPromise(answer) ? await answeredBy(answer, until, WANTED) : answer;
    } catch (error) {
      this.warn(what, route, messageOf(error));
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
