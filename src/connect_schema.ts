import { z } from "zod";
import type { LocalOptions } from "./cache/local.ts";
import type { CacheOptions } from "./cache/options.ts";
import type { ConnectOptions, TlsOptions } from "./connect_options.ts";
import { describe, describeKind, describeSetting } from "./describe.ts";
import { describeDuration, type Duration, type DurationLimits, toMilliseconds } from "./duration.ts";
import { ConfigError } from "./errors.ts";
import { isNamespace, NAMESPACE_WANTED } from "./keys.ts";
import { nearestName } from "./nearest_name.ts";
import { MAX_DB } from "./redis_url.ts";

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
  return z.custom<Duration>(fits, { error: describeDuration(limits) }).optional();
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
  ttl: duration(),
  protect: z.enum(["freeze", "clone"], { error: '"freeze" or "clone"' }).optional(),
} satisfies Shape<LocalOptions>;

const compress = { threshold: whole(0, Number.MAX_SAFE_INTEGER) };

const cache = {
  ttl: duration(),
  staleWhileRevalidate: duration(),
  staleIfError: duration(),
  jitter: z.number({ error: SHARE }).min(0, { error: SHARE }).max(1, { error: SHARE }).optional(),
  lease: duration(LEASE),
  timeout: duration(TIMER),
  hardTimeout: duration(TIMER),
  beta: z.number({ error: NOT_NEGATIVE }).min(0, { error: NOT_NEGATIVE }).optional(),
  refreshAhead: duration(),
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

const PEM = "a certificate in PEM format (its text, not its path)";

const tls = {
  caCerts: z.array(z.string({ error: PEM }).includes("-----BEGIN CERTIFICATE-----", { error: PEM }), {
    error: "an array of certificates in PEM format",
  }).optional(),
} satisfies Shape<TlsOptions>;

const shape = {
  url: text('redis://[user:password@]host[:port][/db], rediss:// for TLS, or "memory:"'),
  cacheUrl: text("redis://[user:password@]host[:port][/db], rediss:// for TLS"),
  client: functions(
    "a client as made by fromDbRedis() and the other from…() functions",
    "pipeline",
    "subscribe",
    "close",
  ),
  username: z.string({ error: "a string" }).optional(),
  password: z.string({ error: "a string" }).optional(),
  passwordFile: text("the path of a file"),
  db: whole(0, MAX_DB),
  tls: z.union([z.boolean(), z.strictObject(tls)], { error: "a boolean or { caCerts }" }).optional(),
  namespace: z.custom<string>(isNamespace, { error: NAMESPACE_WANTED }).optional(),
  buckets: whole(1, 1024),
  commandTimeout: duration(COMMAND_TIMEOUT),
  cache: z.strictObject(cache, { error: "an object with options of the cache" }).optional(),
  on: z.custom<ConnectOptions["on"]>((value) => typeof value === "function", { error: "a function" }).optional(),
} satisfies Shape<ConnectOptions>;

const schema = z.strictObject(shape, { error: "an object with options, as in { url: … }" });

/** Options of which nothing but their kind is shown. */
const HIDDEN: ReadonlySet<string> = new Set(["", "url", "cacheUrl", "username", "password", "tls.caCerts"]);

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

/** The option that was probably meant by a name that is none. */
function meant(name: string, path: string): string {
  if (path === "" && Object.hasOwn(FOREIGN, name)) return FOREIGN[name]!;
  const rooms: Record<string, object> = {
    "": shape,
    tls,
    cache,
    "cache.memory": memory,
    "cache.local": local,
    "cache.compress": compress,
  };
  const nearest = nearestName(name, Object.keys(rooms[path]!));
  return path === "" ? nearest : `${path}.${nearest}`;
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
    return new ConfigError(setting, `an option that there is, such as "${meant(name, path)}"`, "an unknown name");
  }
  const value = valueAt(root, issue.path);
  return new ConfigError(
    path || "options",
    issue.message,
    HIDDEN.has(path) ? describeKind(value) : describeSetting(value),
  );
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
