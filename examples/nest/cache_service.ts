import type { Larder } from "@larder/larder";

/** The service that the others are given: values by key, times in seconds. */
export class CacheService {
  readonly #redis: Larder;

  constructor(redis: Larder) {
    this.#redis = redis;
  }

  /** The value under a key; `null` if there is none. */
  async get<T>(key: string): Promise<T | null> {
    return await this.#redis.cache.get<T>(key) ?? null;
  }

  /** Stores a value for so many seconds. */
  async set(key: string, value: unknown, ttlSeconds: number): Promise<void> {
    await this.#redis.cache.set(key, value, ttlSeconds);
  }

  /** Forgets a value in all processes. */
  async del(key: string): Promise<void> {
    await this.#redis.cache.invalidate(key);
  }

  /** Forgets all that a pattern names, as in `family:7:*`. */
  async delPattern(pattern: string): Promise<void> {
    await this.#redis.cache.invalidateByPattern(pattern);
  }

  /** The value under a key, fetched once for all who ask if there is none. */
  async getOrSet<T>(key: string, fetcher: () => Promise<T>, ttlSeconds: number): Promise<T> {
    return await this.#redis.cache.getOrSet(key, fetcher, { ttl: ttlSeconds });
  }
}
