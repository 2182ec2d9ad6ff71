/** Does the work once, with key `i`. */
export type Run = (i: number) => Promise<unknown>;

/** Does the work `amount` times and tells how often per second. */
export async function drive(run: Run, callers: number, amount: number): Promise<number> {
  let next = 0;
  const caller = async () => {
    while (next < amount) await run(next++);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  return amount * 1000 / (performance.now() - start);
}

/** Does the work for so many milliseconds and tells how often per second. */
export async function driveFor(run: Run, callers: number, milliseconds: number): Promise<number> {
  let done = 0;
  const start = performance.now();
  const caller = async () => {
    while (performance.now() - start < milliseconds) await run(done++);
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return done * 1000 / (performance.now() - start);
}

/**
 * Does the work so many times a second for so long, and tells how many milliseconds each took, from the moment at which
 * it was to begin.
 */
export async function latencies(run: Run, rate: number, milliseconds: number): Promise<number[]> {
  const took: number[] = [];
  const running: Promise<unknown>[] = [];
  const start = performance.now();
  const amount = rate * milliseconds / 1000;
  for (let next = 0; next < amount;) {
    const due = Math.min(amount, Math.floor((performance.now() - start) * rate / 1000));
    for (; next < due; next++) {
      const at = start + next * 1000 / rate;
      running.push(run(next).then(() => took.push(performance.now() - at)));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(running);
  return took;
}
