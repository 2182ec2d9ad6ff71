/**
 * Runs something after a while, and once more so long after it where the timer comes late: a process that was busy has
 * not come to what is waited for either.
 *
 * @param milliseconds How long.
 * @param run What then.
 * @returns Ends the wait.
 */
export function afterPatience(milliseconds: number, run: () => void): () => void {
  const late = performance.now() + 2 * milliseconds;
  let timer = setTimeout(() => {
    if (performance.now() <= late) run();
    else timer = setTimeout(run, milliseconds);
  }, milliseconds);
  return () => clearTimeout(timer);
}
