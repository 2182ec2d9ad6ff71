/** How long a callback that reads or checks a value may take, in milliseconds. */
const PATIENCE = 2000;
/** How long calls share one timer. */
const SHARED = 250;

// A clock that a test has put in place says nothing about callbacks. A timer of this kind keeps no process alive
// either.
const abortAfter = AbortSignal.timeout.bind(AbortSignal);
const now = performance.now.bind(performance);

/** Those who wait for one timer. */
interface Waiting {
  readonly until: number;
  readonly giveUp: Set<() => void>;
}

let current: Waiting | undefined;

function waiting(): Set<() => void> {
  if (current && now() <= current.until) return current.giveUp;
  const opened: Waiting = { until: now() + SHARED, giveUp: new Set() };
  abortAfter(PATIENCE + SHARED).addEventListener("abort", () => {
    if (current === opened) current = undefined;
    for (const giveUp of opened.giveUp) giveUp();
  }, { once: true });
  current = opened;
  return opened.giveUp;
}

/**
 * Waits for what a callback of an app promised, which may never come: a read is not to hang for ever because of it.
 *
 * @param promised What it returned.
 * @param what Who promised it, for the error.
 * @returns The same, for so long.
 * @throws {Error} If it has not come by then.
 */
export function answered<T>(promised: PromiseLike<T>, what: string): Promise<T> {
  const giveUps = waiting();
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new Error(`${what} gave no answer within ${PATIENCE} ms`));
    giveUps.add(giveUp);
    Promise.resolve(promised).finally(() => giveUps.delete(giveUp)).then(resolve, reject);
  });
}
