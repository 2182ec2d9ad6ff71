import type { RedisClient } from "../redis/client.ts";

/** What every client of Larder has. */
const NEEDED = ["pipeline", "subscribe", "close"] as const;

/** Whether a value is a client as adapters make it. */
export function isRedisClient(value: unknown): value is RedisClient {
  if (typeof value !== "object" || value === null) return false;
  const has = NEEDED.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
  return has && adapterFor(value) === undefined; // that of @db/redis has functions of the same names
}

/** The end of the sentence "wanted …" for what is no such client: a client of a library needs its adapter. */
export function clientWanted(value: unknown): string {
  const adapter = adapterFor(value);
  return adapter === undefined
    ? "a client as made by fromDbRedis() and the other from…() functions"
    : "a client as made by fromDbRedis() and the other from…() functions: " +
      `${adapter}(client) of @larder/larder/redis for this one`;
}

/** The adapter for a client, by what only the clients of that library have. */
function adapterFor(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    const { callBuffer, isReady, duplicate, sendCommand, executor, isConnected, pipeline } = value as Record<
      string,
      unknown
    >;
    if (typeof callBuffer === "function") return "fromIoredis";
    if (typeof sendCommand !== "function") return undefined;
    if (typeof isReady === "boolean" && typeof duplicate === "function") return "fromNodeRedis";
    if (typeof pipeline === "function" && (executor !== undefined || typeof isConnected === "boolean")) {
      return "fromDbRedis";
    }
  } catch {
    // A getter that throws.
  }
  return undefined;
}
