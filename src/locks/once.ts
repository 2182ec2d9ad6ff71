import type { Acquirer } from "./acquirer.ts";
import type { Lock } from "./lock.ts";
import type { onceOf } from "./options.ts";
import type { LockStore } from "./store.ts";

/** What became of a call of `once()`. */
export type OnceResult<Value> =
  /** This call ran the job, which gave that. */
  | { readonly ran: true; readonly value: Value; readonly at: Date }
  /** It was not due, or another runs it now; `at` is when it ran last, if it ever did. */
  | { readonly ran: false; readonly at: Date | undefined };

/** For how many times `every`, and at least for how long, it is kept when a job ran last. */
const TIMES = 10;
const LEAST = 7 * 86_400_000;
/** The last millisecond that a date can be. */
const LATEST = 8.64e15;
/** What share of `every` a call is in time where missed runs are skipped. */
const IN_TIME = 0.1;

/** Runs a job if it is due, and nobody else runs it. */
export async function runOnce<Value>(
  acquirer: Acquirer,
  store: LockStore,
  name: string,
  { every, missed, ...times }: ReturnType<typeof onceOf>,
  job: (lock: Lock) => Value | Promise<Value>,
): Promise<OnceResult<Value>> {
  const key = `o:${name}`;
  const lock = await acquirer.acquire({ key, name, permits: 1, ...times });
  try {
    const { at: kept, now } = await store.lastRun(key, times.signal);
    const last = kept !== undefined && Math.abs(kept) <= LATEST ? kept : undefined; // and no number of somebody else's
    const at = last === undefined ? undefined : new Date(last);
    if (!lock) return { ran: false, at };
    const begun = last === undefined ? now : dueAt(last, now, every, missed);
    if (begun === undefined) return { ran: false, at };
    const value = await job(lock);
    await store.keepRun({ key, owner: lock.owner, at: begun, keep: Math.max(TIMES * every, LEAST) });
    return { ran: true, value, at: new Date(now) };
  } finally {
    await lock?.release();
  }
}

/** From when on the next time is counted, if it is due now. */
function dueAt(last: number, now: number, every: number, missed: "run" | "skip"): number | undefined {
  const passed = now - last;
  // A clock that was set back by more than the distance of two runs says nothing about when the last one was.
  if (Math.abs(passed) < every) return undefined;
  if (missed === "run" || passed < 0) return now;
  const late = passed % every;
  return late <= every * IN_TIME ? now - late : undefined;
}
