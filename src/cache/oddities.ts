import type { EventListener } from "../observe/events.ts";

/** Most places of which it is remembered that something was said. */
const MOST = 1000;

/** Says what is odd about a loader once for each place that has it, on the console where nobody listens. */
export class Oddities {
  readonly #on: EventListener | undefined;
  readonly #objects = new Map<string, WeakSet<object>>();
  readonly #texts = new Set<string>();

  constructor(on: EventListener | undefined) {
    this.#on = on;
  }

  /**
   * Says it, unless it was.
   *
   * @param kind What it is about.
   * @param site The definition, the wrapped function, or the loader: of a loader made for each call, the text tells the
   * place.
   * @param message What to say.
   */
  say(kind: string, site: object, message: string): void {
    const objects = this.#objects.get(kind) ?? new WeakSet();
    this.#objects.set(kind, objects);
    if (objects.has(site)) return;
    objects.add(site);
    if (typeof site === "function") {
      const text = `${kind} ${Function.prototype.toString.call(site)}`;
      if (this.#texts.has(text) || this.#texts.size >= MOST) return;
      this.#texts.add(text);
    }
    if (this.#on) this.#on({ type: "warning", message });
    // deno-lint-ignore no-console -- nobody else listens, and nothing else tells why nothing is cached
    else console.warn(`Larder: ${message}.`);
  }
}
