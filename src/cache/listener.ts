import type { EventListener } from "../observe/events.ts";

/** Who is told what happens to a cache, for what is built on it. */
const listeners = new WeakMap<object, EventListener>();

/** Remembers who is told. */
export function setListener(cache: object, on: EventListener | undefined): void {
  if (on) listeners.set(cache, on);
}

/** Who is told what happens to a cache. */
export function listenerOf(cache: object): EventListener | undefined {
  return listeners.get(cache);
}
