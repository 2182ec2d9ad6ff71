/** Lets the process end although the timer is set. */
export function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === "number") (globalThis as { Deno?: typeof Deno }).Deno?.unrefTimer(timer);
  else (timer as { unref?: () => void }).unref?.();
}
