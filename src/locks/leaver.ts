import { UnavailableError } from "../errors.ts";
import { unref } from "../util/timers.ts";
import type { LockStore } from "./store.ts";

/** What is left. */
export type LeaveRequest = Parameters<LockStore["leave"]>[0];

/** Milliseconds after which it is tried again where the store did not answer. */
const AGAIN = 1000;

/**
 * Gives up what is held, or may be. A store that does not answer may still do later what it was asked for: then a lock
 * would be kept from all by somebody who has gone, so that this is tried again until the lock ends by itself.
 */
export class Leaver {
  readonly #store: LockStore;
  /** What the store has not answered, by owner, and until when to try, by `performance.now()`. */
  readonly #open = new Map<string, { readonly request: LeaveRequest; readonly until: number }>();
  readonly #sent = new Set<Promise<boolean>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(store: LockStore) {
    this.#store = store;
  }

  /**
   * Gives one up.
   *
   * @param request Which.
   * @param within Milliseconds after which it has ended by itself.
   * @returns Whether it was held; `false` too where the store does not answer.
   */
  async leave(request: LeaveRequest, within: number): Promise<boolean> {
    return await this.#send(request, performance.now() + within);
  }

  /** Tries no more; resolves when nothing is on its way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#open.clear();
    await Promise.allSettled(this.#sent);
  }

  async #send(request: LeaveRequest, until: number): Promise<boolean> {
    const sent = this.#store.leave(request);
    this.#sent.add(sent);
    try {
      return await sent;
    } catch (error) {
      const mayPass = error instanceof UnavailableError && error.reason !== "closed";
      if (mayPass && !this.#closed && performance.now() + AGAIN < until) {
        this.#open.set(request.owner, { request, until });
        this.#set();
      }
      return false;
    } finally {
      this.#sent.delete(sent);
    }
  }

  #set(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const all = [...this.#open.values()];
      this.#open.clear();
      for (const { request, until } of all) void this.#send(request, until);
    }, AGAIN);
    unref(this.#timer);
  }
}
