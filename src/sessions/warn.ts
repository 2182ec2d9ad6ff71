import { type EventListener, safeListener } from "../observe/events.ts";

/** Tells what is probably not as meant: on the console where nobody listens. */
export function warn(on: EventListener | undefined, message: string): void {
  if (on) safeListener(on)!({ type: "warning", message });
  // deno-lint-ignore no-console -- nobody else listens
  else console.warn(`Larder: ${message}.`);
}
