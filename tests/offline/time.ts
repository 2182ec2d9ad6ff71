/**
 * Stands in for `jsr:@std/testing/time` where JSR does not answer: `FakeTime` on `npm:@sinonjs/fake-timers`.
 *
 * @module
 */
import fakeTimers from "@sinonjs/fake-timers";

interface Clock {
  now: number;
  duringTick: boolean;
  setTimeout(callback: () => void, delay: number): unknown;
  setInterval(callback: () => void, delay: number): unknown;
  clearTimeout(timer: unknown): void;
  clearInterval(timer: unknown): void;
  tick(milliseconds: number): void;
  next(): void;
  countTimers(): number;
}

type Callback = (...args: unknown[]) => unknown;

/** An operation that the state of the fake time does not allow. */
export class TimeError extends Error {
  override readonly name: string = "TimeError";
}

const { Date: RealDate, setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
const realAbortTimeout = AbortSignal.timeout;
const { createClock } = fakeTimers.withGlobal(globalThis) as {
  createClock(start: number, loopLimit: number): Clock;
};

let active: FakeTime | undefined;

const FakeDate = new Proxy(RealDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length ? args : [now()], newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, property, receiver) => property === "now" ? now : Reflect.get(target, property, receiver),
});

function now(): number {
  return active?.now ?? RealDate.now();
}

/** Replaces `Date`, the timers and `AbortSignal.timeout` until it is restored or disposed of. */
export class FakeTime {
  readonly #clock: Clock;
  readonly #start: number;
  readonly #timers = new Map<number, unknown>();
  #lastId = 0;

  constructor(start?: number | string | Date | null) {
    if (active) throw new TimeError("Cannot construct FakeTime: time is already faked");
    const time = typeof start === "number" ? Math.floor(start) : new RealDate(start ?? RealDate.now()).getTime();
    if (Number.isNaN(time)) throw new TypeError(`Cannot construct FakeTime: invalid start time ${time}`);
    this.#start = time;
    this.#clock = createClock(time, Infinity);
    active = this;
    this.#fake();
  }

  static restore(): void {
    if (!active) throw new TimeError("Cannot restore time: time is already restored");
    active.restore();
  }

  get start(): number {
    return this.#start;
  }

  get now(): number {
    return this.#clock.now;
  }

  set now(value: number) {
    if (value < this.now) {
      throw new RangeError(`Cannot set current time in the past, time must be >= ${this.now}: received ${value}`);
    }
    this.#clock.tick(value - this.now);
  }

  tick(ms = 0): void {
    this.now += ms;
  }

  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.now += ms;
  }

  next(): boolean {
    if (this.#clock.countTimers() === 0) return false;
    this.#clock.next();
    this.tick(); // the others that are due at the same time
    return true;
  }

  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  runAll(): void {
    while (this.next());
  }

  async runAllAsync(): Promise<void> {
    while (await this.nextAsync());
  }

  async runMicrotasks(): Promise<void> {
    await this.delay(0);
  }

  /** Waits in real time. */
  async delay(ms: number): Promise<void> {
    await new Promise<void>((resolve) => setTimeout.call(globalThis, resolve, ms));
  }

  restore(): void {
    if (!active) throw new TimeError("Cannot restore time: time is already restored");
    active = undefined;
    Object.assign(globalThis, { Date: RealDate, setTimeout, clearTimeout, setInterval, clearInterval });
    AbortSignal.timeout = realAbortTimeout;
  }

  [Symbol.dispose](): void {
    this.restore();
  }

  #fake(): void {
    const clear = (id?: number) => this.#clear(id);
    Object.assign(globalThis, {
      Date: FakeDate,
      setTimeout: (callback: Callback, delay?: number, ...args: unknown[]) => this.#set(callback, delay, args, false),
      setInterval: (callback: Callback, delay?: number, ...args: unknown[]) => this.#set(callback, delay, args, true),
      clearTimeout: clear,
      clearInterval: clear,
    });
    AbortSignal.timeout = (delay) => {
      const controller = new AbortController();
      this.#set(() => controller.abort(new DOMException("Signal timed out.", "TimeoutError")), delay, [], false);
      return controller.signal;
    };
  }

  #set(callback: Callback, delay = 0, args: unknown[], repeat: boolean): number {
    if (typeof callback !== "function") throw new TimeError("FakeTime does not support non-function callbacks");
    const id = ++this.#lastId;
    // Deno's timers take no `this`, and a timer of 0 ms that a timer sets is due in the same tick.
    const ticking = this.#clock.duringTick;
    this.#clock.duringTick = false;
    const wait = Math.max(repeat ? 1 : 0, Math.floor(delay) || 0);
    this.#timers.set(
      id,
      repeat ? this.#clock.setInterval(() => callback.apply(null, args), wait) : this.#clock.setTimeout(() => {
        this.#timers.delete(id);
        callback.apply(null, args);
      }, wait),
    );
    this.#clock.duringTick = ticking;
    return id;
  }

  #clear(id?: number): void {
    if (id === undefined || !this.#timers.has(id)) return;
    this.#clock.clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }
}
