import type { Cache } from "../cache/cache.ts";
import { growingLru } from "../util/growing_lru.ts";
import { type ResponseAddress, valueOf } from "./response_key.ts";
import type { StoredResponse } from "./stored_response.ts";

/** What is known of the responses of a URL. */
interface Variants {
  /** On what the one under the primary key depends. */
  readonly first: StoredResponse["vary"];
  /** The headers on which any depends. */
  readonly names: readonly string[];
  /** The keys of the others, and since when they are known here, in milliseconds since 1970. */
  readonly keys: Map<string, number>;
  /** When it was last seen which of them are gone, in milliseconds since 1970. */
  seen: number;
}

/** Most variants of a URL that are kept. */
const MOST_VARIANTS = 16;
/** Seconds for which the variants of a URL are remembered. */
const VARIANTS_KEPT = 86_400;
/** Milliseconds between two looks for variants that are gone. */
const LOOK_EVERY = 1000;
/** Milliseconds for which a variant that is not there may be on its way. */
const ON_ITS_WAY = 30_000;

/** On which headers the responses of each URL depend, and which variants there are. */
export class ResponseVariants {
  readonly #cache: Cache;
  readonly #known = growingLru<Variants>(10_000);

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  /** The key for a request, as far as it is known on what the responses of its URL depend. */
  keyOf(request: Request, address: ResponseAddress): string {
    const known = this.#known.get(address.primary);
    return known && !matches(known.first, request) ? address.variant(known.names) : address.primary;
  }

  /** Learns on what the responses of a URL depend, from one that is for another request. */
  learn(address: ResponseAddress, { vary }: StoredResponse): void {
    const names = vary.map(([name]) => name);
    const known = this.#known.get(address.primary);
    this.#known.set(address.primary, {
      first: vary,
      names: [...new Set([...known?.names ?? [], ...names])].sort(),
      keys: known?.keys ?? new Map(),
      seen: known?.seen ?? 0,
    });
  }

  /** Whether there is room for another variant of a URL, which is taken. */
  async mayKeep(address: ResponseAddress, key: string, vary: StoredResponse["vary"]): Promise<boolean> {
    if (vary.length === 0 || key === address.primary) return true;
    const known = this.#known.get(address.primary);
    if (!known || known.keys.has(key)) return true;
    const list = `${address.primary} variants`;
    const listed = await this.#cache.get<string[]>(list).catch(() => undefined) ?? [];
    const now = Date.now();
    for (const other of Array.isArray(listed) ? listed : []) {
      if (typeof other === "string" && !known.keys.has(other)) known.keys.set(other, now);
    }
    if (!known.keys.has(key) && isFull(known)) {
      await this.#forgetGone(known);
      if (isFull(known)) return false;
    }
    known.keys.set(key, now);
    await this.#cache.set(list, [...known.keys.keys()], { ttl: VARIANTS_KEPT }).catch(() => false);
    return true;
  }

  /** Makes room: those that have ended, or were invalidated, take none. */
  async #forgetGone(known: Variants): Promise<void> {
    const now = Date.now();
    if (Math.abs(now - known.seen) < LOOK_EVERY) return;
    known.seen = now;
    await Promise.all([...known.keys].map(async ([key, since]) => {
      if (Math.abs(now - since) < ON_ITS_WAY) return;
      const { status } = await this.#cache.lookup(key);
      if (status === "miss") known.keys.delete(key);
    })).catch(() => {}); // then there is no room yet
  }
}

/** Whether a response is for a request, going by the headers on which it depends. */
export function isFor({ vary }: StoredResponse, request: Request): boolean {
  return matches(vary, request);
}

function matches(vary: StoredResponse["vary"], request: Request): boolean {
  return vary.every(([name, value]) => valueOf(request, name) === value);
}

/** Whether there is no room beside the first. */
function isFull({ keys }: Variants): boolean {
  return keys.size >= MOST_VARIANTS - 1;
}
