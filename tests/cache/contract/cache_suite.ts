import { cacheBasics } from "./cache_basics.ts";
import { cacheBounds } from "./cache_bounds.ts";
import { cacheCoherence } from "./cache_coherence.ts";
import { cacheDefects } from "./cache_defects.ts";
import { cacheLoading } from "./cache_loading.ts";
import { cacheOutage } from "./cache_outage.ts";
import { cacheRefresh } from "./cache_refresh.ts";
import { cacheSignals } from "./cache_signals.ts";
import type { Case } from "./harness.ts";
import { storeCurrency, storeFences } from "./store_fences.ts";
import { storeInvalidations } from "./store_invalidations.ts";
import { storeLeases } from "./store_leases.ts";
import { storeReads } from "./store_reads.ts";

/** What every `CacheStore` has to do. */
export const STORE_CASES: Readonly<Record<string, Case>> = {
  ...storeReads,
  ...storeLeases,
  ...storeFences,
  ...storeCurrency,
  ...storeInvalidations,
};

/** What a `Cache` has to do, whatever store it is on. */
export const CACHE_CASES: Readonly<Record<string, Case>> = {
  ...cacheBasics,
  ...cacheLoading,
  ...cacheSignals,
  ...cacheOutage,
  ...cacheRefresh,
  ...cacheCoherence,
  ...cacheBounds,
  ...cacheDefects,
};
