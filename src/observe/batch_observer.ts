/** Told of what a batch does. It must not throw, and must be quick. */
export interface BatchObserver {
  /** A call was answered, so many milliseconds after it was written. */
  answered(operation: string, milliseconds: number): void;
  /** A call failed: the reason of an `UnavailableError`, or the code of an error reply. */
  failed(reason: string): void;
}

/** Runs each write of a batch, so that it can be traced. */
export type WriteTracer = <T>(commands: readonly { readonly name: string }[], write: () => Promise<T>) => Promise<T>;

/** Tells two observers. */
export function both(one: BatchObserver, other: BatchObserver): BatchObserver {
  return {
    answered(operation, milliseconds) {
      one.answered(operation, milliseconds);
      other.answered(operation, milliseconds);
    },
    failed(reason) {
      one.failed(reason);
      other.failed(reason);
    },
  };
}
