import { type LockLoss, LockLostError } from "./errors.ts";

/** A lock that is held, or was. */
export interface Lock extends AsyncDisposable {
  /** Its name. */
  readonly name: string;
  /**
   * The fencing number: larger than that of everybody who held the lock before. Who writes sends it along, and what is
   * written to refuses
   * a number smaller than the largest that it has seen.
   */
  readonly token: number;
  /**
   * Whether it is held, by the clock of this process that never goes back, at each look: code that wakes after a pause
   * knows it before
   * any timer does.
   */
  readonly held: boolean;
  /**
   * Whether as many replicas as `durability` wants had it before its job began, so that a failover to one of them keeps
   * it. `false` without that option, and on the embedded store.
   */
  readonly replicated: boolean;
  /** Aborted as soon as the lock is lost, or may be; its reason is a `LockLostError`. A release does not abort it. */
  readonly signal: AbortSignal;
  /**
   * Gives it up, once. The next in line gets it.
   *
   * @returns Whether it was still held; `false` too when Redis does not answer: then it ends by itself.
   */
  release(): Promise<boolean>;
}

/** What is needed to hold a lock. */
interface HeldLockOptions {
  readonly key: string;
  readonly name: string;
  readonly owner: string;
  readonly permits: number;
  readonly ttl: number;
  readonly token: number;
  /** When the request was sent that took it, by `performance.now()`. */
  readonly since: number;
  /** Gives it up in the store. */
  readonly release: (lock: HeldLock) => Promise<boolean>;
}

/**
 * What clocks of two machines may differ in a while, as a share of it, and milliseconds by which a timer may be
 * rounded.
 */
export const DRIFT = 0.01;
const ROUNDED = 2;

/** A lock of this process. */
export class HeldLock implements Lock {
  readonly key: string;
  readonly name: string;
  readonly owner: string;
  readonly permits: number;
  readonly ttl: number;
  readonly token: number;
  replicated = false;
  /** Until when nobody else can hold it, by `performance.now()`. */
  until: number;
  /** When to extend it. */
  extendAt: number;
  /** Whether an extension is under way. */
  extending = false;
  readonly #release: (lock: HeldLock) => Promise<boolean>;
  readonly #controller = new AbortController();
  #released: Promise<boolean> | undefined;

  constructor({ key, name, owner, permits, ttl, token, since, release }: HeldLockOptions) {
    this.key = key;
    this.name = name;
    this.owner = owner;
    this.permits = permits;
    this.ttl = ttl;
    this.token = token;
    this.until = this.extendAt = 0;
    this.#release = release;
    this.extended(since);
  }

  get held(): boolean {
    return !this.#released && !this.#controller.signal.aborted && performance.now() < this.until;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was given up. */
  get released(): boolean {
    return this.#released !== undefined;
  }

  /** It was extended by a request that was sent then: from there on nobody else can have it for its ttl. */
  extended(since: number): void {
    this.until = since + this.ttl * (1 - DRIFT) - ROUNDED;
    this.extendAt = since + this.ttl / 3;
  }

  /** It is lost, or may be. */
  lose(reason: LockLoss): void {
    this.until = -Infinity;
    this.#controller.abort(new LockLostError(this.name, reason));
  }

  release(): Promise<boolean> {
    return this.#released ??= this.#release(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
