/** Spans by what is attempted: operations as errors name them. */
const NAMES: Readonly<Record<string, string>> = {
  "read cache entries": "cache.get",
  "read cache entry": "cache.get",
  "write cache entries": "cache.set",
  "write cache entry": "cache.set",
  "touch cache entry": "cache.touch",
  "invalidate cache": "cache.invalidate",
  "invalidate cache keys": "cache.invalidate",
  "invalidate cache tags": "cache.invalidateByTag",
  "invalidate cache pattern": "cache.invalidateByPattern",
  "end invalidation of a pattern": "cache.invalidateByPattern",
  "extend lease": "cache.lease",
  "release lease": "cache.lease",
  "create session": "sessions.create",
  "read session": "sessions.get",
  "touch session": "sessions.touch",
  "update session": "sessions.update",
  "update sessions": "sessions.updateAll",
  "destroy session": "sessions.destroy",
  "destroy sessions": "sessions.destroyAll",
  "destroy sessions by tag": "sessions.destroyByTag",
  "list sessions": "sessions.list",
  "count rate limit": "rateLimit.check",
  "acquire lock": "locks.acquire",
  "extend lock": "locks.extend",
  "release lock": "locks.release",
  "read last run": "locks.once",
  "keep last run": "locks.once",
  "read what was done": "locks.idempotent",
  "keep what was done": "locks.idempotent",
  "publish": "pubsub.publish",
  "add to a stream": "streams.add",
  "read from a stream": "streams.take",
  "acknowledge a message": "streams.ack",
  "retry a message": "streams.retry",
  "give a message up": "streams.deadLetter",
  "check health": "health",
};

/** The span of an operation; `undefined` for a raw command, and for what Larder does on its own. */
export function spanName(operation: string): string | undefined {
  return Object.hasOwn(NAMES, operation) ? NAMES[operation] : undefined;
}
