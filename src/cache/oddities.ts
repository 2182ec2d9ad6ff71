import type { EventListener } from "../observe/events.ts";
import { messageOf } from "../util/describe.ts";

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

  /** A loader gave `undefined`. The site is the definition, the wrapped function, or the loader. */
  absent(key: string, site: object): void {
    const message = `A loader gave undefined for ${JSON.stringify(key)}: nothing is kept, and each read loads anew; ` +
      "null can be kept";
    this.#say("absent", site, message);
  }

  /** What a loader gave cannot be stored, and nobody listens. */
  unstorable(site: object, error: unknown): void {
    this.#say("unstorable", site, `${messageOf(error)}: it is not kept, and each read loads anew`);
  }

  /** A loader has invalidated a tag of what it loads. */
  invalidates(key: string, site: object): void {
    const message = `The loader of ${JSON.stringify(key)} invalidates a tag of its own, so its value is not stored`;
    this.#say("invalidates", site, message);
  }

  /** A loader has failed for which nobody waits, and nobody listens. */
  refreshFailed(key: string, site: object, error: unknown): void {
    const message = `${JSON.stringify(key)} could not be refreshed, so the older value is served for as long as it ` +
      `may be: ${messageOf(error)}`;
    this.#say("refresh", site, message);
  }

  /** Says it, unless it was. Of a loader made for each call, the text tells the place. */
  #say(kind: string, site: object, message: string): void {
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
