import { z } from "zod";
import type { LocalOptions } from "../cache/local.ts";
import { isStandardSchema } from "../values/standard_schema.ts";
import type { CacheOptions } from "../cache/options.ts";
import type { ConnectOptions, TlsOptions } from "./options.ts";
import { describe, describeKind, describeSetting } from "../util/describe.ts";
import { type Duration, type DurationLimits, TIME_TO_LIVE, toMilliseconds, wantedDuration } from "../util/duration.ts";
import { ConfigError } from "../errors.ts";
import type { ImageOptions } from "../images/options.ts";
import { isNamespace, NAMESPACE_WANTED } from "../util/keys.ts";
import { wantedName } from "../util/option_names.ts";
import { addressReader, TRUST_WANTED, type TrustProxy } from "../rate_limit/address.ts";
import type { RateLimitOptions } from "../rate_limit/options.ts";
import { fitPresets } from "./preset_schema.ts";
import { clientWanted, isRedisClient } from "./client_hint.ts";
import type { RedisClient } from "../redis/client.ts";
import { MAX_DB } from "./redis_url.ts";
import type { SessionCookieOptions } from "../sessions/cookie_options.ts";
import type { SessionsOptions } from "../sessions/options.ts";
import { GRACE, MAX_PER_USER_WANTED, maxPerUserOf } from "../sessions/resolve_options.ts";

// The message of each check is the end of the sentence "wanted …".

/** One schema for each option, of the type that the option has: an option more or less does not compile. */
type Shape<T> = { [K in keyof T]-?: z.ZodType<T[K]> };

/** Deadlines become timers, and those hold 24 days at most. */
export const COMMAND_TIMEOUT: DurationLimits = { min: 1, max: 3_600_000 };
const LEASE: DurationLimits = { min: 10, max: 86_400_000 };

function duration(limits?: DurationLimits): z.ZodType<Duration | undefined> {
  const fits = (value: unknown) => {
    try {
      toMilliseconds(value, "", limits);
      return true;
    } catch {
      return false;
    }
  };
  return z.custom<Duration>(fits, { error: ({ input }) => wantedDuration(input, limits) }).optional();
}

function whole(min: number, max: number): z.ZodType<number | undefined> {
  const error = max === Number.MAX_SAFE_INTEGER
    ? `a whole number of at least ${min}`
    : `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).optional();
}

function text(error: string): z.ZodType<string | undefined> {
  return z.string({ error }).min(1, { error }).optional();
}

function functions<T>(error: string, ...names: string[]): z.ZodType<T | undefined> {
  const fits = (value: unknown) =>
    typeof value === "object" && value !== null &&
    names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
  return z.custom<T>(fits, { error }).optional();
}

const NOT_NEGATIVE = "a number of at least 0";
const TIMER: DurationLimits = { max: 86_400_000 };
const SHARE = "a number from 0 to 1";
const AT_LEAST_1 = whole(1, Number.MAX_SAFE_INTEGER);

const memory = { maxEntries: AT_LEAST_1, maxBytes: AT_LEAST_1 } satisfies Record<
  keyof NonNullable<CacheOptions["memory"]>,
  z.ZodType
>;

const local = {
  maxEntries: AT_LEAST_1,
  maxBytes: AT_LEAST_1,
  ttl: duration(TIME_TO_LIVE),
  protect: z.enum(["freeze", "clone"], { error: '"freeze" or "clone"' }).optional(),
} satisfies Shape<LocalOptions>;

const compress = { threshold: whole(0, Number.MAX_SAFE_INTEGER) };

const cache = {
  enabled: z.boolean({ error: "a boolean" }).optional(),
  ttl: duration(TIME_TO_LIVE),
  staleWhileRevalidate: duration(),
  staleIfError: duration(),
  jitter: z.number({ error: SHARE }).min(0, { error: SHARE }).max(1, { error: SHARE }).optional(),
  lease: duration(LEASE),
  timeout: duration(TIMER),
  hardTimeout: duration(TIMER),
  beta: z.number({ error: NOT_NEGATIVE }).min(0, { error: NOT_NEGATIVE }).optional(),
  refreshAhead: duration(),
  waitTimeout: duration(TIMER),
  unstorable: z.enum(["serve", "throw"], { error: '"serve" or "throw"' }).optional(),
  local: z.union([z.boolean(), z.strictObject(local)], { error: "a boolean or options of the copies in this process" })
    .optional(),
  retryAfter: duration(),
  serializer: functions("a serializer with serialize() and deserialize()", "serialize", "deserialize"),
  compress: z.union([z.boolean(), z.strictObject(compress)], {
    error: "a boolean or { threshold } with a number of bytes",
  }).optional(),
  maxBytes: whole(1, 0xffff_ffff),
  maxKeyBytes: whole(1, 0xffff_ffff),
  memory: z.strictObject(memory, { error: "an object with options of the embedded store" })
    .optional() as z.ZodType<CacheOptions["memory"]>,
} satisfies Shape<CacheOptions>;

const YES_OR_NO = z.boolean({ error: "a boolean" }).optional();

const cookie = {
  name: text("the name of a cookie"),
  path: text("a path"),
  domain: text("a domain"),
  sameSite: z.enum(["strict", "lax", "none"], { error: '"strict", "lax" or "none"' }).optional(),
  partitioned: YES_OR_NO,
  persistent: YES_OR_NO,
  insecure: YES_OR_NO,
} satisfies Shape<SessionCookieOptions>;

const SECRETS = "an array of strings of at least 32 characters";

const sessions = {
  ttl: duration(TIME_TO_LIVE),
  absoluteTtl: duration(TIME_TO_LIVE),
  touchEvery: duration(),
  maxPerUser: z.custom<SessionsOptions["maxPerUser"]>((value) => fits(() => maxPerUserOf(value)), {
    error: MAX_PER_USER_WANTED,
  }).optional(),
  renewalGrace: duration(GRACE),
  maxBytes: whole(0, Number.MAX_SAFE_INTEGER),
  cookie: z.strictObject(cookie, { error: "an object with options of the cookie" }).optional(),
  secrets: z.array(z.string({ error: SECRETS }).min(32, { error: SECRETS }), { error: SECRETS }).optional(),
  onUnavailable: z.enum(["throw", "none"], { error: '"throw" or "none"' }).optional(),
  schema: z.custom<SessionsOptions["schema"]>(isStandardSchema, {
    error: "a Standard Schema, such as one of Zod",
  })
    .optional(),
} satisfies Shape<SessionsOptions>;

const images = {
  root: z.custom<string | URL>(
    (root) => typeof root === "string" ? root !== "" : root instanceof URL && root.protocol === "file:",
    { error: "the path of a folder or a file: URL" },
  ).optional(),
  source: functions("a source with stat() and open()", "stat", "open"),
  hash: z.enum(["sha-256", "sha-384", "sha-512"], { error: '"sha-256", "sha-384" or "sha-512"' }).optional(),
  maxBytes: AT_LEAST_1,
  maxPixels: AT_LEAST_1,
  revalidateAfter: duration(),
  verify: z.enum(["stat", "hash"], { error: '"stat" or "hash"' }).optional(),
  ttl: duration(TIME_TO_LIVE),
  errorTtl: duration({ min: 1 }),
  staleIfError: duration(),
} satisfies Shape<ImageOptions>;

/** Whether a value is one that does not throw. */
function fits(use: () => unknown): boolean {
  try {
    use();
    return true;
  } catch {
    return false;
  }
}

const SHARE_OF_LIMIT = "a number above 0, up to 1";

const rateLimit = {
  presets: z.record(z.string(), z.unknown(), { error: "an object with limits by name" }).superRefine(fitPresets)
    .optional() as z.ZodType<RateLimitOptions["presets"]>,
  timeout: duration({ min: 1, max: 60_000 }),
  localShare: z.number({ error: SHARE_OF_LIMIT }).gt(0, { error: SHARE_OF_LIMIT }).max(1, { error: SHARE_OF_LIMIT })
    .optional(),
  maxDenials: whole(0, Number.MAX_SAFE_INTEGER),
  trustProxy: z.custom<TrustProxy>((trust) => fits(() => addressReader(trust as TrustProxy)), { error: TRUST_WANTED })
    .optional(),
  ipv6Prefix: whole(32, 128),
  legacyHeaders: z.union([z.enum(["epoch", "delta"]), z.literal(false)], { error: '"epoch", "delta" or false' })
    .optional(),
  exposeHeaders: YES_OR_NO,
} satisfies Shape<RateLimitOptions>;

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
  tls: z.union([z.boolean(), z.strictObject(tls)], { error: "a boolean or { caCerts }" }).optional(),
  namespace: z.custom<string>(isNamespace, { error: NAMESPACE_WANTED }).optional(),
  buckets: whole(1, 1024),
  commandTimeout: duration(COMMAND_TIMEOUT),
  connectTimeout: duration(COMMAND_TIMEOUT),
  heartbeat: duration(COMMAND_TIMEOUT),
  slowerThan: duration(COMMAND_TIMEOUT),
  cache: z.strictObject(cache, { error: "an object with options of the cache" }).optional(),
  sessions: z.strictObject(sessions, { error: "an object with options of sessions" }).optional(),
  images: z.strictObject(images, { error: "an object with options of images, as in { root: … }" }).refine(
    ({ root, source }) => (root === undefined) !== (source === undefined),
    { error: "either a root or a source" },
  ).optional(),
  rateLimit: z.strictObject(rateLimit, { error: "an object with options of rate limits" }).optional(),
  on: z.custom<ConnectOptions["on"]>((value) => typeof value === "function", { error: "a function" }).optional(),
} satisfies Shape<ConnectOptions>;

const OPTIONS = "an object with options, as in { url: … }";
const schema = z.custom((value) => !(value instanceof URL), { error: OPTIONS })
  .pipe(z.strictObject(shape, { error: OPTIONS }));

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
const FOREIGN: Readonly<Record<string, string>> = {
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
  if (path === "" && Object.hasOwn(FOREIGN, name)) return `an option that there is, such as "${FOREIGN[name]}"`;
  const rooms: Record<string, object> = {
    "": shape,
    tls,
    cache,
    "cache.memory": memory,
    "cache.local": local,
    "cache.compress": compress,
    images,
    rateLimit,
    sessions,
    "sessions.cookie": cookie,
  };
  return wantedName(name, Object.keys(rooms[path]!), path);
}

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
  const path = names.join(".");
  if (issue.code === "unrecognized_keys") {
    const name = issue.keys[0]!;
    const setting = [...names, /^[\w$-]{1,64}$/.test(name) ? name : describe(name)].join(".");
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
