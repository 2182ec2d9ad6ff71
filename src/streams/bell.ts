/** Wakes all who wait. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  /** Resolves when it rings. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  /** Rings. */
  ring(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
