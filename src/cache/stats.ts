/** What a cache has done since it was made. Counts, unless said otherwise. */
export interface CacheStats {
  /** Fresh values served. */
  hits: number;
  /** Values served past their freshness, while they were refreshed or because a loader failed. */
  stale: number;
  /** Reads that found nothing to serve. */
  misses: number;
  /** Share of reads that were served from the cache, 0 to 1; 0 before the first. */
  hitRate: number;
  /** Loaders that were run. */
  loads: number;
  /** Loaders that threw. */
  loadErrors: number;
  /** Callers that were given what another caller's loader returned. */
  coalesced: number;
  /** Values written by `set` and `setMany`. */
  sets: number;
  /** Writes that were refused because an invalidation or a newer write came first. */
  refused: number;
  /** Invalidations asked for. */
  invalidations: number;
  /** Invalidations that wait for Redis to be back, at present. */
  queued: number;
  /** Entries that could not be read or did not fit the schema. */
  unreadable: number;
  /** Operations that the store failed. */
  errors: number;
  /** Loaders that are running, at present. */
  loading: number;
}

/** The counters behind {@linkcode CacheStats}. */
export class StatsCounter {
  hits = 0;
  stale = 0;
  misses = 0;
  loads = 0;
  loadErrors = 0;
  coalesced = 0;
  sets = 0;
  refused = 0;
  invalidations = 0;
  unreadable = 0;
  errors = 0;

  /** The counters as they are, with what is derived from them and from the outside. */
  snapshot(queued: number, loading: number): CacheStats {
    const { hits, stale, misses, loads, loadErrors, coalesced, sets, refused, invalidations, unreadable, errors } =
      this;
    const reads = hits + stale + misses;
    return {
      hits,
      stale,
      misses,
      hitRate: reads === 0 ? 0 : (hits + stale) / reads,
      loads,
      loadErrors,
      coalesced,
      sets,
      refused,
      invalidations,
      queued,
      unreadable,
      errors,
      loading,
    };
  }
}
