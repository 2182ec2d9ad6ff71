/** Delays of what is slow on demand. They end when it is closed: nothing of it is left then. */
export class Delays {
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** Resolves after so many milliseconds, or when it is closed. */
  wait(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.#waiting.add(end);
    });
  }

  /** Ends all, and delays nothing any more. */
  close(): void {
    this.#closed = true;
    for (const end of this.#waiting) end();
  }
}
