import { z } from "zod";
import type { ConnectOptions, TlsOptions } from "./options.ts";
import { describe, describeKind, describeSetting } from "../util/describe.ts";
import type { DurationLimits } from "../util/duration.ts";
import { ConfigError } from "../errors.ts";
import { isNamespace, NAMESPACE_WANTED } from "../util/keys.ts";
import { wantedName } from "../util/option_names.ts";
import { clientWanted, isRedisClient } from "./client_hint.ts";
import type { RedisClient } from "../redis/client.ts";
import { MAX_DB } from "./redis_url.ts";
import { booleanOr, duration, options, type Shape, text, whole } from "./schema_checks.ts";
import {
  cache,
  compress,
  cookie,
  durable,
  images,
  local,
  memory,
  pubsub,
  rateLimit,
  sessions,
  streams,
} from "./schema_services.ts";

/** Deadlines become timers, and those hold 24 days at most. */
export const COMMAND_TIMEOUT: DurationLimits = { min: 1, max: 3_600_000 };

const PEM = "a certificate in PEM format (its text, not its path)";

const KEY = "a private key in PEM format (its text, not its path), without a password";

const tls = {
  caCerts: z.array(z.string({ error: PEM }).includes("-----BEGIN CERTIFICATE-----", { error: PEM }), {
    error: "an array of certificates in PEM format",
  }).optional(),
  cert: z.string({ error: PEM }).includes("-----BEGIN CERTIFICATE-----", { error: PEM }).optional(),
  key: z.string({ error: KEY }).regex(/-----BEGIN (?!ENCRYPTED)(\w+ )?PRIVATE KEY-----/, { error: KEY }).optional(),
} satisfies Shape<TlsOptions>;

const shape = {
  url: text('redis://[user:password@]host[:port][/db], rediss:// for TLS, or "memory:"'),
  cacheUrl: text("redis://[user:password@]host[:port][/db], rediss:// for TLS"),
  client: z.custom<RedisClient>(isRedisClient, { error: ({ input }) => clientWanted(input) }).optional(),
  username: z.string({ error: "a string" }).optional(),
  password: z.string({ error: "a string" }).optional(),
  passwordFile: text("the path of a file"),
  db: whole(0, MAX_DB),
  tls: booleanOr(tls, "a boolean or { caCerts }"),
  namespace: z.custom<string>(isNamespace, { error: NAMESPACE_WANTED }).optional(),
  buckets: whole(1, 1024),
  commandTimeout: duration(COMMAND_TIMEOUT),
  connectTimeout: duration(COMMAND_TIMEOUT),
  heartbeat: duration(COMMAND_TIMEOUT),
  slowerThan: duration(COMMAND_TIMEOUT),
  cache: options(cache, "an object with options of the cache").optional(),
  sessions: options(sessions, "an object with options of sessions").optional(),
  images: options(images, "an object with options of images, as in { root: … }").refine(
    ({ root, source }) => (root === undefined) !== (source === undefined),
    { error: "either a root or a source" },
  ).optional(),
  rateLimit: options(rateLimit, "an object with options of rate limits").optional(),
  pubsub: options(pubsub, "an object with options of channels").optional(),
  streams: options(streams, "an object with options of streams").optional(),
  on: z.custom<ConnectOptions["on"]>((value) => typeof value === "function", { error: "a function" }).optional(),
} satisfies Shape<ConnectOptions>;

const OPTIONS = "an object with options, as in { url: … }";
const schema = options<ConnectOptions>(shape, OPTIONS);

/** Options of which nothing but their kind is shown. */
const HIDDEN: ReadonlySet<string> = new Set([
  "",
  "url",
  "cacheUrl",
  "username",
  "password",
  "tls.caCerts",
  "tls.cert",
  "tls.key",
  "sessions.secrets",
]);

/** What people bring along from other clients. */
const ALIASES: Readonly<Record<string, string>> = {
  host: "url",
  hostname: "url",
  port: "url",
  uri: "url",
  database: "db",
  prefix: "namespace",
  keyPrefix: "namespace",
  ttl: "cache.ttl",
  timeout: "commandTimeout",
};

/** The end of the sentence "wanted …" for a name that is none. */
function wantedOption(name: string, path: string): string {
  if (path === "" && Object.hasOwn(ALIASES, name)) return `an option that there is, such as "${ALIASES[name]}"`;
  const sections: Record<string, object> = {
    "": shape,
    tls,
    cache,
    "cache.memory": memory,
    "cache.local": local,
    "cache.compress": compress,
    images,
    pubsub,
    streams,
    rateLimit,
    "rateLimit.durability": durable,
    sessions,
    "sessions.durability": durable,
    "sessions.cookie": cookie,
  };
  return wantedName(name, Object.keys(sections[path]!), path);
}

/** A name that is shown as it is. */
const SIMPLE = /^[^\s"\\\p{C}]{1,100}$/u;

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return value;
}

function toConfigError(issue: z.core.$ZodIssue, root: unknown): ConfigError {
  if (issue.code === "invalid_union") {
    // Of a value or an object of options, the object is meant when something is wrong inside of it.
    const inner = issue.errors.flat().find((nested) => nested.path.length > 0 || nested.code === "unrecognized_keys");
    if (inner !== undefined) return toConfigError({ ...inner, path: [...issue.path, ...inner.path] }, root);
  }
  const names = issue.path.filter((key) => typeof key === "string");
  const path = names.map((name) => SIMPLE.test(name) ? name : describe(name)).join(".");
  if (issue.code === "unrecognized_keys") {
    const name = issue.keys[0]!;
    const setting = [...names, SIMPLE.test(name) ? name : describe(name)].join(".");
    return new ConfigError(setting, wantedOption(name, path), "an unknown name");
  }
  const value = valueAt(root, issue.path);
  const told: unknown = issue.code === "custom" ? issue.params?.got : undefined;
  const got = typeof told === "string" ? told : HIDDEN.has(path) ? describeKind(value) : describeSetting(value);
  return new ConfigError(path || "options", issue.message, got);
}

/**
 * Checks the shape of options.
 *
 * @param options What came.
 * @returns A copy of it.
 * @throws {ConfigError} If an option is not known or has a value that cannot be used.
 */
export function checkOptions(options: unknown): ConnectOptions {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  throw toConfigError(result.error.issues[0]!, options);
}
