import type { Cache } from "../cache/cache.ts";
import { listenerOf } from "../cache/listener.ts";
import { callQuietly } from "../util/callbacks.ts";
import { growingLru } from "../util/growing_lru.ts";
import { ageOf, staleFor } from "./cached_answer.ts";
import { NO_WISHES, type RequestWishes } from "./request_wishes.ts";
import type { ResponseAddress } from "./response_key.ts";
import { isFor, ResponseVariants } from "./response_variants.ts";
import { decodeResponse, type StoredResponse } from "./stored_response.ts";

/** Milliseconds by which the clocks of processes may differ. */
const TOLERANCE = 1000;
/** Milliseconds for which this process remembers that a response is not kept, so that nobody waits for another's. */
const NOT_KEPT_FOR = 5000;
/** Seconds for which other processes are told that a body goes on and on, unless it ends. */
const TOLD_FOR = 60;

/** What is kept of responses, as far as it can be told without making any. */
export class KeptResponses {
  readonly #cache: Cache;
  readonly #notKept = growingLru<true>(10_000, { ttl: NOT_KEPT_FOR });
  readonly #streaming = new Set<string>();
  readonly variants: ResponseVariants;

  constructor(cache: Cache) {
    this.#cache = cache;
    this.variants = new ResponseVariants(cache);
  }

  /** What is kept and good enough. The signal ends it. */
  async find(
    request: Request,
    address: ResponseAddress,
    wishes: RequestWishes,
    signal: AbortSignal,
  ): Promise<StoredResponse | undefined> {
    for (const key of new Set([this.variants.keyOf(request, address), address.primary])) {
      let stored = await this.#lookUp(key, signal);
      if (stored && !isFor(stored, request) && key === address.primary) {
        this.variants.learn(address, stored);
        const other = this.variants.keyOf(request, address);
        if (other !== key) stored = await this.#lookUp(other, signal);
      }
      if (stored && isFor(stored, request) && isGoodEnough(stored, wishes)) return stored;
    }
  }

  /** What may be served when a new one cannot be made. */
  async fallback(
    request: Request,
    address: ResponseAddress,
    signal: AbortSignal,
  ): Promise<StoredResponse | undefined> {
    const stored = await this.find(request, address, { ...NO_WISHES, maxStale: Infinity }, signal);
    return stored && mayServe(stored) ? stored : undefined;
  }

  /** What was kept under a key, if it is whole. */
  decode(key: string, bytes: Uint8Array | undefined): StoredResponse | undefined {
    if (bytes === undefined) return undefined;
    try {
      return decodeResponse(bytes);
    } catch (error) {
      callQuietly(listenerOf(this.#cache), { type: "cache.unreadable", key, error });
    }
  }

  /** Remembers for a while that what is made under a key is not kept. */
  setNotKept(key: string): void {
    this.#notKept.set(key, true);
  }

  /** Whether it is known that what is made under a key is not kept, so that nobody should wait for it. */
  isNotKept(key: string): boolean {
    return this.#notKept.has(key);
  }

  /** Tells all processes whether a body under a key goes on and on, so that nobody waits for its end. */
  async setStreaming(key: string, streams: boolean): Promise<void> {
    const marker = markerOf(key);
    try {
      if (streams) {
        this.#streaming.add(key);
        await this.#cache.set(marker, true, { ttl: TOLD_FOR });
      } else if (this.#streaming.delete(key)) {
        await this.#cache.delete(marker);
      }
    } catch {
      // Then who waits elsewhere waits until it ends.
    }
  }

  /** Whether a body under a key goes on and on, here or in another process. */
  async isStreaming(key: string): Promise<boolean> {
    if (this.isStreamingHere(key)) return true;
    return await this.#cache.get(markerOf(key)).catch(() => undefined) === true;
  }

  /** Whether a body under a key goes on and on in this process. */
  isStreamingHere(key: string): boolean {
    return this.#streaming.has(key);
  }

  async #lookUp(key: string, signal: AbortSignal): Promise<StoredResponse | undefined> {
    return this.decode(key, (await this.#cache.lookup<Uint8Array>(key, { signal })).value);
  }
}

/** Whether it may be served although it is stale, going by what it says itself. */
export function mayServe(stored: StoredResponse): boolean {
  return staleFor(stored) <= stored.stale * 1000 + TOLERANCE;
}

/** Whether a request takes it, where it is served at all. */
export function isYoungEnough(stored: StoredResponse, { maxAge, minFresh }: RequestWishes): boolean {
  return ageOf(stored) <= maxAge && (minFresh === 0 || -staleFor(stored) / 1000 >= minFresh);
}

/** Whether a request takes it as it is, without anything being made. */
function isGoodEnough(stored: StoredResponse, wishes: RequestWishes): boolean {
  const stale = staleFor(stored) / 1000;
  return !wishes.noCache && isYoungEnough(stored, wishes) &&
    (stale <= 0 || (!stored.strict && stale <= wishes.maxStale));
}

function markerOf(key: string): string {
  return `${key} streams`;
}
