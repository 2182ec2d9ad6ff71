/** What a Redis server tells about itself. What it does not tell, or may not be asked for, is absent. */
export interface RedisFigures {
  /** What it is, as it says itself: `redis`, or `valkey`. */
  readonly engine?: string;
  /** Its version; of Valkey, its own and not that of the Redis which it is compatible with. */
  readonly version?: string;
  /** Seconds since it started. */
  readonly uptime?: number;
  /** Whether it is a primary (`master`) or a replica (`slave`), in the words of Redis. */
  readonly replication?: string;
  /** Whether it takes writes: it does not while its disk fails. */
  readonly writable?: boolean;
  /** Its memory. */
  readonly memory?: RedisMemory;
  /** Its connections. */
  readonly clients?: { readonly connected: number; readonly blocked: number; readonly max: number };
  /** Commands per second at present. */
  readonly opsPerSecond?: number;
  /** Keys in the databases. */
  readonly keys?: number;
  /** Keys that were evicted since it started, because memory was full. */
  readonly evictedKeys?: number;
  /** Keys that expired since it started. */
  readonly expiredKeys?: number;
}

/** The memory of a Redis server, in bytes. */
export interface RedisMemory {
  /** In use by data and buffers. */
  readonly used: number;
  /** The most that was ever in use. */
  readonly peak: number;
  /** `maxmemory`; 0 = no limit. */
  readonly max: number;
  /** Share of `max` that is in use, 0 to 1; absent without a limit. */
  readonly usage?: number;
  /** What happens when it is full. */
  readonly policy: string;
  /** Memory that the system gave, divided by memory in use. */
  readonly fragmentation: number;
}

/** Reads the reply to `INFO`. */
export function parseRedisInfo(text: string): RedisFigures {
  const fields = new Map(
    text.split("\n").filter((line) => line.includes(":")).map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
  const number = (name: string) => Number(fields.get(name) ?? NaN);
  const figures: { -readonly [K in keyof RedisFigures]: RedisFigures[K] } = {};
  const put = <K extends keyof RedisFigures>(name: K, value: RedisFigures[K] | undefined) => {
    if (value !== undefined && !Number.isNaN(value)) figures[name] = value;
  };
  put("engine", fields.get("server_name") ?? (fields.has("redis_version") ? "redis" : undefined));
  put("version", fields.get("valkey_version") ?? fields.get("redis_version"));
  put("uptime", number("uptime_in_seconds"));
  put("replication", fields.get("role"));
  put("opsPerSecond", number("instantaneous_ops_per_sec"));
  put("evictedKeys", number("evicted_keys"));
  put("expiredKeys", number("expired_keys"));
  const failing = ["rdb_last_bgsave_status", "aof_last_write_status"].some((name) => fields.get(name) === "err");
  if (fields.has("rdb_last_bgsave_status")) figures.writable = !failing && fields.get("role") !== "slave";
  const [used, max] = [number("used_memory"), number("maxmemory") || 0];
  if (!Number.isNaN(used)) {
    figures.memory = {
      used,
      peak: number("used_memory_peak") || used,
      max,
      ...(max > 0 && { usage: Math.round(used / max * 1000) / 1000 }),
      policy: fields.get("maxmemory_policy") ?? "noeviction",
      fragmentation: number("mem_fragmentation_ratio") || 1,
    };
  }
  const connected = number("connected_clients");
  if (!Number.isNaN(connected)) {
    figures.clients = { connected, blocked: number("blocked_clients") || 0, max: number("maxclients") || 0 };
  }
  const databases = [...fields].filter(([name]) => /^db\d+$/.test(name));
  if (fields.has("redis_version")) {
    figures.keys = databases.reduce((sum, [, value]) => sum + Number(/keys=(\d+)/.exec(value)?.[1] ?? 0), 0);
  }
  return figures;
}
