const HIDDEN = "[secret]";

/**
 * A text that must not be printed: JSON, string conversion, `console.log` and `Deno.inspect` show a placeholder, and
 * only {@linkcode Secret.reveal} gives the text.
 */
export class Secret {
  readonly #value: string;

  /**
   * Hides a text.
   *
   * @param value The text.
   */
  constructor(value: string) {
    this.#value = value;
  }

  /** The text itself. */
  reveal(): string {
    return this.#value;
  }

  /** A placeholder. */
  toString(): string {
    return HIDDEN;
  }

  /** A placeholder. */
  toJSON(): string {
    return HIDDEN;
  }

  static {
    for (const name of ["Deno.customInspect", "nodejs.util.inspect.custom"]) {
      Object.defineProperty(this.prototype, Symbol.for(name), { value: () => HIDDEN });
    }
  }
}
