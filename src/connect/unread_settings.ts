import type { ConnectOptions } from "./options.ts";
import { type Environment, readEnvironment, readSetting } from "./environment.ts";

/** Options that say how to reach a server, and not which. */
const OPTIONS = ["username", "password", "passwordFile", "db", "tls"] as const;
/** Variables that do. */
const VARIABLES = ["REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_PASSWORD_FILE", "REDIS_DB", "REDIS_TLS"];
/** Variables by which others name a server. */
const FOREIGN = [
  ...["REDIS_URI", "REDIS_ADDR", "REDIS_ADDRESS", "REDIS_HOSTNAME", "REDIS_SERVER", "REDIS_ENDPOINT", "REDIS_DSN"],
  ...["REDIS_CONNECTION_STRING", "REDIS_CONNECTION_URL", "REDIS_PRIVATE_URL", "REDIS_PUBLIC_URL", "REDIS_TLS_URL"],
  ...["REDISHOST", "REDISCLOUD_URL", "REDISTOGO_URL", "STACKHERO_REDIS_URL_TLS", "UPSTASH_REDIS_URL", "KV_URL"],
  ...["UPSTASH_REDIS_REST_URL", "VALKEY_URL", "VALKEY_HOST"],
];

/**
 * What was probably meant to name a Redis where nothing names one; nothing of the values is told.
 *
 * @param given The options.
 * @param env The environment.
 * @returns Part of a sentence, or `undefined` if there is no such thing.
 */
export function unreadSettings(given: ConnectOptions, env: Environment = readEnvironment): string | undefined {
  const isSet = (name: string) => readSetting(env, name) !== undefined;
  const foreign = FOREIGN.filter(isSet);
  if (foreign.length > 0) return `${foreign.join(" and ")} is set, but REDIS_URL is what is read`;
  const options = OPTIONS.filter((name) => given[name] !== undefined).map((name) => `"${name}"`);
  const half = [...options, ...VARIABLES.filter(isSet)];
  if (half.length === 0) return undefined;
  return `${half.join(" and ")} ${half.length > 1 ? "are" : "is"} set, but not at which host`;
}
