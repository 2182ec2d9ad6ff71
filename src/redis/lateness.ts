/** Milliseconds that a deadline may be noticed late by a process that is not busy. */
export const LATE = 25;

/** Milliseconds that are added if it is more: a process that was busy until now has not looked yet whether the reply is there. */
export function graceOf(timeout: number): number {
  return timeout / 2;
}
