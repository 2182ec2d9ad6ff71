import type { LarderEvent } from "../../src/observe/events.ts";

// Taken before any test can put fake timers in their place.
const { setTimeout, clearTimeout } = globalThis;

/** How long a test waits for something that has to happen, in milliseconds: long enough for a machine that is busy. */
const PATIENCE = 60_000;

/** Waits until something holds, looking again and again. */
export async function until(condition: () => unknown, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  for (let pause = 5; !await condition(); pause = Math.min(pause * 1.2, 50)) {
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Collects events and lets a test wait for one. */
export class EventLog {
  /** All events so far. */
  readonly events: LarderEvent[] = [];
  #arrival: PromiseWithResolvers<void> = Promise.withResolvers();

  /** For the `on` option. */
  readonly on = (event: LarderEvent): void => {
    this.events.push(event);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  };

  /** All events of a type. */
  of<Type extends LarderEvent["type"]>(type: Type): Extract<LarderEvent, { type: Type }>[] {
    return this.events.filter((event) => event.type === type) as Extract<LarderEvent, { type: Type }>[];
  }

  /** Waits until there are so many events of a type that fit. */
  async have<Type extends LarderEvent["type"]>(
    type: Type,
    count: number = 1,
    fits: (event: Extract<LarderEvent, { type: Type }>) => boolean = () => true,
  ): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`Waited in vain for ${count} "${type}" events: ${this.events.map(brief).join(" ")}`)),
      PATIENCE,
    );
    try {
      while (this.of(type).filter(fits).length < count) await Promise.race([this.#arrival.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function brief(event: LarderEvent): string {
  const { type, state, error } = event as { type: string; state?: string; error?: unknown };
  return [type, state, error instanceof Error ? error.message : error].filter((part) => part !== undefined).join(":");
}
