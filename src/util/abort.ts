/**
 * Resolves or rejects as the promise does, or rejects with the signal's reason if that comes first. What the promise
 * stands for goes on.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  if (signal.aborted) {
    promise.catch(() => {}); // whoever aborted no longer cares how it ends
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Resolves after so many milliseconds, or rejects with the signal's reason if that comes first. */
export function delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Resolves to whether a promise ends within so many milliseconds, whichever way, and before a signal comes. */
export function endsWithin(promise: Promise<unknown>, milliseconds: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (ended: boolean) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", late);
      resolve(ended);
    };
    const late = () => end(false);
    const timer = setTimeout(late, Math.max(0, milliseconds));
    signal?.addEventListener("abort", late);
    if (signal?.aborted) late();
    promise.then(() => end(true), () => end(true));
  });
}

/** Somebody who waits and is told once. */
export interface Waiter<T> {
  settled: boolean;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Ends a wait by a signal. Costs no promise, unlike {@linkcode abortable}. */
export function endBy<T>(waiter: Waiter<T>, signal: AbortSignal): void {
  const { resolve, reject } = waiter;
  const abort = () => {
    if (waiter.settled) return;
    waiter.settled = true;
    reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  waiter.resolve = (value) => (signal.removeEventListener("abort", abort), resolve(value));
  waiter.reject = (error) => (signal.removeEventListener("abort", abort), reject(error));
}
