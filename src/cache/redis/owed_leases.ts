import { UnavailableError } from "../../errors.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { unref } from "../../util/timers.ts";

/** How often it is tried to give leases back, in milliseconds, unless something else shows that the server answers. */
const TRY_EVERY = 250;
/** For how many milliseconds it is tried. A lease that lasts longer ends by itself. */
const TRY_FOR = 600_000;
/** Most leases that are remembered; beyond that they end by themselves. */
const MOST = 10_000;

interface Owed {
  readonly key: string;
  readonly pause: number;
  /** When it is given up, by `performance.now()`. */
  readonly until: number;
}

/**
 * Leases that nobody holds any more though the server does not know, since it could not be told: others would wait for
 * nobody.
 */
export class OwedLeases {
  readonly #release: (key: string, lease: number, pause: number) => Promise<unknown>;
  readonly #owed = new Map<number, Owed>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** `release` gives one back, if it is still held. */
  constructor(release: (key: string, lease: number, pause: number) => Promise<unknown>) {
    this.#release = release;
  }

  /** Gives a lease back as soon as the server answers. */
  owe(key: string, lease: number, pause: number = 0): void {
    if (this.#closed || this.#owed.size >= MOST) return;
    this.#owed.set(lease, { key, pause, until: performance.now() + TRY_FOR });
    this.#schedule();
  }

  /** The server has answered. */
  answered(): void {
    if (this.#timer !== undefined) void this.#tryAll();
  }

  /** Tries nothing any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined || this.#owed.size === 0) return;
    this.#timer = setTimeout(() => void this.#tryAll(), TRY_EVERY);
    unref(this.#timer);
  }

  async #tryAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [first, ...others] = this.#owed;
    // Where one cannot be given back, the others cannot either.
    if (first && await this.#try(...first)) await Promise.all(others.map((other) => this.#try(...other)));
    this.#schedule();
  }

  /** Whether it is done with. */
  async #try(lease: number, owed: Owed): Promise<boolean> {
    try {
      await this.#release(owed.key, lease, owed.pause);
    } catch (error) {
      const closed = error instanceof UnavailableError && error.reason === "closed";
      if (!closed && performance.now() < owed.until) return false;
    }
    this.#owed.delete(lease);
    return true;
  }
}
