import type { CacheStats } from "../cache/stats.ts";
import type { Larder } from "../connect/larder.ts";
import type { Duration } from "../util/duration.ts";

/** What an app has with `names: true`: as plugins have it that services have written for themselves. */
export interface CacheNames {
  /** Reads a value; `null` where there is none, or the store does not answer. */
  getFromCache<T = unknown>(key: string): Promise<T | null>;
  /** Keeps a value, for 15 minutes unless it is said. */
  setToCache(key: string, value: unknown, ttl?: Duration): Promise<boolean>;
  /** Takes a value away. */
  deleteFromCache(key: string): Promise<boolean>;
  /** Takes all values away whose keys fit a pattern, and tells how many. */
  deleteCachePattern(pattern: string): Promise<number>;
  /** What was done so far, and how Redis is. */
  getCacheStats(): Promise<NamedStats>;
  /** Whether the store answers. */
  isCacheHealthy(): Promise<boolean>;
}

/** What `getCacheStats()` tells: beside what was done, the sections of Redis's `INFO`, empty without a Redis. */
export interface NamedStats extends CacheStats {
  /** Whether the store answers. */
  readonly connected: boolean;
  /** `ready` = it does. */
  readonly status: string;
  /** Its memory. */
  readonly memory_info: string;
  /** Its keys. */
  readonly keyspace_info: string;
  /** Its version. */
  readonly server_info: string;
}

/** The functions by the names that such services call. */
export function namesOf(redis: Larder): CacheNames {
  const { cache } = redis;
  const isHealthy = async () => (await redis.health()).status === "ok";
  const info = async (section: string) => {
    try {
      return String(await redis.client.sendCommand("INFO", [section]));
    } catch {
      return ""; // there is none
    }
  };
  return {
    getFromCache: async <T>(key: string) => await cache.get<T>(key) ?? null,
    setToCache: (key, value, ttl = "15m") => cache.set(key, value, { ttl }),
    deleteFromCache: (key) => cache.delete(key),
    deleteCachePattern: async (pattern) => (await cache.invalidateByPattern(pattern)).removed ?? 0,
    async getCacheStats() {
      const [connected, memory_info, keyspace_info, server_info] = await Promise.all([
        isHealthy(),
        ...["memory", "keyspace", "server"].map(info),
      ]) as [boolean, string, string, string];
      const status = connected ? "ready" : "reconnecting";
      return { ...cache.stats(), connected, status, memory_info, keyspace_info, server_info };
    },
    isCacheHealthy: isHealthy,
  };
}
