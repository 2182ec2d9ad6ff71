// Taken before any test can put fake timers in their place.
const { setInterval, clearInterval } = globalThis;

/** How late a timer of a process that gets its turn may be, in milliseconds. */
const LATE = 20;
const EVERY = 10;

/**
 * Judges what has to be done within a short deadline. What fails while the machine kept this process from its work says
 * nothing, and is tried anew; what fails without that, or as often as this, has failed.
 *
 * @param work What is tried, from the beginning each time.
 * @param tries How often at most.
 */
export async function calmly(work: (attempt: number) => Promise<void>, tries: number = 6): Promise<void> {
  for (let attempt = 1;; attempt++) {
    let lag = 0;
    let last = performance.now();
    const look = () => {
      const now = performance.now();
      lag = Math.max(lag, now - last - EVERY);
      last = now;
    };
    const watch = setInterval(look, EVERY);
    try {
      return await work(attempt);
    } catch (error) {
      look();
      if (attempt === tries || lag < LATE) throw error;
    } finally {
      clearInterval(watch);
    }
  }
}
