/**
 * How long a callback of an app may take, in milliseconds: one that reads or checks a value, or all of one request
 * together.
 */
export const PATIENCE = 2000;
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

/**
 * Waits for what a callback of an app promised until a moment that it shares with others.
 *
 * @param promised What it returned.
 * @param until The moment, by `performance.now()`.
 * @param why What the error says.
 * @returns The same, until then.
 * @throws {Error} If it has not come by then.
 */
export async function answeredBy<T>(promised: PromiseLike<T>, until: number, why: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(why)), Math.max(0, until - performance.now()));
  });
  try {
    return await Promise.race([promised, late]);
  } finally {
    clearTimeout(timer);
  }
}
