import { UnavailableError } from "../errors.ts";
import { describe } from "../util/describe.ts";
import type { Acquirer } from "./acquirer.ts";
import type { HeldLock, Lock } from "./lock.ts";
import type { idempotentOf } from "./options.ts";
import type { LockStore } from "./store.ts";

/** What a job did, and what those who come later are given. */
export interface Done<Value> {
  /** For who called. */
  readonly value: Value;
  /** For those who come later; without it nothing is kept, and the next one runs the job again. */
  readonly keep?: Uint8Array | undefined;
}

/** What became of a call of `idempotent()`. */
export type IdempotentResult<Value> =
  /** This call ran the job, which gave that. */
  | { readonly state: "ran"; readonly value: Value }
  /** It was done before, and this was kept of it. */
  | { readonly state: "kept"; readonly kept: Uint8Array }
  /** Another runs it now. */
  | { readonly state: "running" };

/** Milliseconds after which it is tried again to keep what was done, where the store did not answer. */
const AGAIN = 500;

/** Runs a job if it was not done before, and nobody else runs it. */
export async function runIdempotent<Value>(
  acquirer: Acquirer,
  store: LockStore,
  name: string,
  { keepFor, ...times }: ReturnType<typeof idempotentOf>,
  job: (lock: Lock) => Done<Value> | Promise<Done<Value>>,
): Promise<IdempotentResult<Value>> {
  const key = `i:${name}`;
  // In one write, in this order: what the lock was given for has been kept by then.
  const [acquired, read] = await Promise.allSettled([
    acquirer.acquire({ key, name, permits: 1, ...times }),
    store.kept(key, times.signal),
  ]);
  if (acquired.status === "rejected") throw acquired.reason;
  const lock = acquired.value;
  let held = lock; // until it is given up
  try {
    if (read.status === "rejected") throw read.reason;
    if (read.value) return { state: "kept", kept: read.value };
    if (!lock) return { state: "running" };
    const { value, keep } = assertDone(await job(lock));
    if (keep !== undefined && await keepDone(acquirer, store, lock, keep, keepFor) === "later") held = undefined;
    return { state: "ran", value };
  } finally {
    await held?.release();
  }
}

function assertDone<Value>(done: Done<Value>): Done<Value> {
  const keep = (done as Done<Value> | undefined)?.keep;
  // What names neither is a result that would be lost, and the job done again by the next.
  const names = typeof done === "object" && done !== null ? Object.keys(done) : [];
  const fits = names.includes("value") && names.every((name) => name === "value" || name === "keep");
  if (fits && (keep === undefined || keep instanceof Uint8Array)) return done;
  const wanted = "wanted { value, keep } of the job, with bytes as keep";
  throw new TypeError(`Cannot keep what was done: ${wanted}, got ${describe(keep === undefined ? done : keep)}`);
}

/** Keeps what was done. Where the store does not answer, the lock stays held until it does: nobody may do it again. */
async function keepDone(
  acquirer: Acquirer,
  store: LockStore,
  lock: HeldLock,
  value: Uint8Array,
  keepFor: number,
): Promise<"now" | "later"> {
  const { key, owner } = lock;
  const keep = () => store.keep({ key, owner, value, for: keepFor });
  try {
    await keep();
    return "now";
  } catch (error) {
    if (!(error instanceof UnavailableError) || error.reason === "closed") throw error;
  }
  const end = AbortSignal.any([lock.signal, acquirer.closing]);
  const again = async () => {
    do await pause(AGAIN, end); while (!end.aborted && !await keep().then(() => true, () => false));
    await lock.release();
  };
  acquirer.track(again());
  return "later";
}

async function pause(milliseconds: number, end: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  const timer = setTimeout(done, milliseconds);
  end.addEventListener("abort", done, { once: true });
  if (end.aborted) done();
  await promise;
  clearTimeout(timer);
  end.removeEventListener("abort", done);
}
