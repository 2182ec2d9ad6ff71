/**
 * The one deadline of a call, however many commands it takes. It counts from the write of the first of them: until then
 * nobody can say that Redis is slow.
 */
export class Deadline {
  /** How long it is, in milliseconds. */
  readonly timeout: number;
  #end = Infinity;

  /** Makes one that is so many milliseconds long. */
  constructor(timeout: number) {
    this.timeout = timeout;
  }

  /** When it ends, by `performance.now()`; `Infinity` before it has begun. */
  get end(): number {
    return this.#end;
  }

  /** Begins, unless it has begun, and tells when it ends. */
  begin(now: number = performance.now()): number {
    if (this.#end === Infinity) this.#end = now + this.timeout;
    return this.#end;
  }

  /** It ends at this time at the earliest, because this process was busy or did something else meanwhile. */
  extend(end: number): void {
    if (this.#end < end) this.#end = end;
  }
}
