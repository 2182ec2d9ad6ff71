import { PROOF } from "./heartbeat.ts";
import type { LoadRequest } from "./load_request.ts";
import type { MissHost } from "./miss_host.ts";
import { isEarly, ttlOf } from "./policy.ts";

/** A fresh value that was just found. */
export interface FreshValue<T> {
  readonly value: T;
  /** Its place in the order of the store. */
  readonly asOf: number;
  /** Milliseconds for which it is still fresh. */
  readonly left: number;
  /** Milliseconds that its loader took. */
  readonly loadTime: number;
}

/** Has fresh values refreshed in the background when their time is near (`refreshAhead`, `beta`). */
export class EarlyRefresh {
  readonly #host: MissHost;
  /** Keys at whose lease is being looked. */
  readonly #looking = new Set<string>();

  constructor(host: MissHost) {
    this.#host = host;
  }

  /** Refreshes a value if it is time. */
  consider<T>(key: string, request: LoadRequest<T>, { value, asOf, left, loadTime }: FreshValue<T>): void {
    if ((request.beta === 0 && request.refreshAhead === 0) || !isEarly(request, left, loadTime)) return;
    if (!isEarly({ ...request, refreshAhead: this.#ahead(key, request, value) }, left, loadTime)) return;
    const { store, values, loading, on } = this.#host;
    if (loading.get(key) || this.#looking.has(key)) return;
    this.#looking.add(key);
    store.read(key, { lease: request.lease, proof: PROOF, refresh: asOf }).finally(() => this.#looking.delete(key))
      .then(
        async (read) => {
          if (!loading.claim(key, read)) return;
          const previous = read.entry && await values.read(key, read.entry, request.schema, request.version);
          loading.start(key, request, { fence: read, previous, background: true, fallback: true });
        },
      ).catch((error) => on?.({ type: "cache.error", operation: "refresh", key, error }));
  }

  /** How long before the end of its freshness this value is refreshed. */
  #ahead<T>(key: string, { refreshAhead, ttl }: LoadRequest<T>, value: T): number {
    const { early } = this.#host;
    const ahead = early.of(key, refreshAhead);
    if (!ttl || ahead === 0) return ahead;
    try {
      return early.within(ahead, ttlOf(ttl(value)));
    } catch {
      return ahead; // the load that comes of it will say so
    }
  }
}
