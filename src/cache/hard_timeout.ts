import { LoaderTimeoutError } from "../errors.ts";
import { abortable } from "../util/abort.ts";

/**
 * Ends the wait for `work` after so many milliseconds. What loads does not see the signal that it is given; what it
 * finds of loaders that wait for each other is the cause of the error.
 */
export async function withHardTimeout<T>(
  key: string,
  milliseconds: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, onCycle: (error: unknown) => void) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  let cause: unknown;
  const timer = setTimeout(
    () => late.abort(new LoaderTimeoutError(key, milliseconds, cause === undefined ? undefined : { cause })),
    milliseconds,
  );
  const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
  try {
    return await abortable(work(either, (error) => cause = error), late.signal);
  } finally {
    clearTimeout(timer);
  }
}
