/** Told of what a batch does. It must not throw, and must be quick. */
export interface BatchObserver {
  /** A call was answered, so many milliseconds after it was written: what it is for, and by which command. */
  answered(operation: string, milliseconds: number, command: string): void;
  /** A call failed: the reason of an `UnavailableError`, or the code of an error reply. */
  failed(reason: string): void;
}

/** Runs each write of a batch, so that it can be traced. */
export type WriteTracer = <T>(commands: readonly TracedCommand[], write: () => Promise<T>) => Promise<T>;

/** A command that is traced. */
export interface TracedCommand {
  /** The name of the command. */
  readonly name: string;
  /** What it is for. */
  readonly operation: string;
}

/** Who is told of what a batch does: an observer, a meter, or both. */
export function observerOf(
  { observer, meter }: { readonly observer?: BatchObserver | undefined; readonly meter?: BatchObserver | undefined },
): BatchObserver | undefined {
  if (!observer || !meter) return observer ?? meter;
  return {
    answered(operation, milliseconds, command) {
      observer.answered(operation, milliseconds, command);
      meter.answered(operation, milliseconds, command);
    },
    failed(reason) {
      observer.failed(reason);
      meter.failed(reason);
    },
  };
}
