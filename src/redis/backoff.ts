/** The first wait, in milliseconds. */
const BASE = 100;
/** The longest wait, in milliseconds. */
const CAP = 5000;

/**
 * Milliseconds to wait before attempt `attempt` (0 = the first after a loss): exponential from 100 ms to 5 s, with
 * equal jitter, so that the processes that lost the same server do not come back as one.
 */
export function reconnectDelay(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(CAP, BASE * 2 ** Math.min(attempt, 16));
  return ceiling / 2 + random() * ceiling / 2;
}
