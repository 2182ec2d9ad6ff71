import type { EventListener } from "../observe/events.ts";

/** What failed in one call with many keys, told in one event for each operation. */
export class Failures implements Disposable {
  readonly #on: EventListener | undefined;
  readonly #failed = new Map<string, { readonly keys: string[]; readonly error: unknown }>();
  #told = false;

  constructor(on: EventListener | undefined) {
    this.#on = on;
  }

  /** Notes a key. The error that is told is that of the first. */
  add(operation: string, key: string, error: unknown): void {
    // Whoever called has gone: what goes on in the background speaks for itself.
    if (this.#told) return this.#on?.({ type: "cache.error", operation, key, error });
    const known = this.#failed.get(operation);
    if (known) known.keys.push(key);
    else this.#failed.set(operation, { keys: [key], error });
  }

  /** Tells of them. */
  [Symbol.dispose](): void {
    this.#told = true;
    for (const [operation, { keys, error }] of this.#failed) {
      this.#on?.({ type: "cache.error", operation, keys, error });
    }
  }
}
