/**
 * Values by name: those that were asked for last, and of the others those that somebody still holds. So a name that
 * nobody uses any more costs nothing, and one that is used has one value.
 */
export class RecentNames<Value extends object> {
  readonly #max: number;
  readonly #keeps: ((value: Value) => boolean) | undefined;
  /** Those asked for last, the oldest first. */
  readonly #recent = new Map<string, Value>();
  readonly #others = new Map<string, WeakRef<Value>>();
  readonly #collected = new FinalizationRegistry<string>((name) => {
    if (!this.#others.get(name)?.deref()) this.#others.delete(name);
  });

  /**
   * @param max How many are kept whether or not somebody holds them.
   * @param keeps Which of the others are kept as well.
   */
  constructor(max: number, keeps?: (value: Value) => boolean) {
    this.#max = max;
    this.#keeps = keeps;
  }

  /** The value of a name; made by `make` where there is none. */
  get(name: string, make: () => Value): Value {
    const value = this.peek(name) ?? make();
    this.#others.delete(name);
    this.#recent.delete(name);
    this.#recent.set(name, value);
    if (this.#recent.size > this.#max) this.#forgetOldest();
    return value;
  }

  /** The value of a name, if there is one. */
  peek(name: string): Value | undefined {
    return this.#recent.get(name) ?? this.#others.get(name)?.deref();
  }

  /** All that there are, with their names. */
  *[Symbol.iterator](): Generator<[string, Value]> {
    yield* this.#recent;
    for (const [name, ref] of this.#others) {
      const value = ref.deref();
      if (value) yield [name, value];
    }
  }

  #forgetOldest(): void {
    const [name, value] = this.#recent.entries().next().value!;
    this.#recent.delete(name);
    if (this.#keeps?.(value)) return void this.#recent.set(name, value);
    this.#others.set(name, new WeakRef(value));
    this.#collected.register(value, name);
  }
}

/** How many namespaces a process keeps that nobody holds. */
export const RECENT_NAMESPACES = 1000;
