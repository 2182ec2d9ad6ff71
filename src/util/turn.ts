// What waits for a turn does not wait for a time: a test's clock must not hold it up.
import { clearTimeout, setTimeout } from "./real_timers.ts";

/** Resolves with the next turn of the event loop, or at once when the signal is aborted. */
export function turn(signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, 0);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Resolves after so many turns of the microtask queue: whoever was given a value in the meantime goes on first. */
export async function microturns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}
