import { z } from "zod";
import type { LocalOptions } from "../cache/local.ts";
import { LEASE, MOST_BYTES, TIMER } from "../cache/option_ranges.ts";
import type { CacheOptions } from "../cache/options.ts";
import type { ImageOptions } from "../images/options.ts";
import { ERROR_TTL } from "../images/settings.ts";
import { MOST_MESSAGE_BYTES, type StreamsOptions } from "../streams/options.ts";
import { MOST, ON_FULL, type PubSubOptions } from "../pubsub/options.ts";
import { addressReader, PREFIX_RANGE, TRUST_WANTED, type TrustProxy } from "../rate_limit/address.ts";
import type { RateLimitOptions } from "../rate_limit/options.ts";
import { LIMIT_TIMEOUT, LOCAL_SHARE } from "../rate_limit/settings.ts";
import { type Durability, REPLICA_TIMEOUT, REPLICAS } from "../redis/durability.ts";
import { SECRET_LENGTH } from "../sessions/signature.ts";
import type { SessionCookieOptions } from "../sessions/cookie_options.ts";
import type { SessionsOptions } from "../sessions/options.ts";
import { GRACE, MAX_PER_USER_WANTED, maxPerUserOf } from "../sessions/resolve_options.ts";
import { TIME_TO_LIVE } from "../util/duration.ts";
import { isStandardSchema } from "../values/standard_schema.ts";
import { fitPresets } from "./preset_schema.ts";
import { booleanOr, duration, fits, functions, options, type Shape, text, whole } from "./schema_checks.ts";

// The message of each check is the end of the sentence "wanted …". Ranges are those of the services.

const NOT_NEGATIVE = "a number of at least 0";
const SHARE = "a number from 0 to 1";
const AT_LEAST_1 = whole(1, Number.MAX_SAFE_INTEGER);
const YES_OR_NO = z.boolean({ error: "a boolean" }).optional();

export const memory: Shape<NonNullable<CacheOptions["memory"]>> = { maxEntries: AT_LEAST_1, maxBytes: AT_LEAST_1 };

export const local: Shape<LocalOptions> = {
  maxEntries: AT_LEAST_1,
  maxBytes: AT_LEAST_1,
  ttl: duration(TIME_TO_LIVE),
  protect: z.enum(["freeze", "clone"], { error: '"freeze" or "clone"' }).optional(),
};

export const compress: { threshold: z.ZodType<number | undefined> } = { threshold: whole(0, Number.MAX_SAFE_INTEGER) };

export const cache: Shape<CacheOptions> = {
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
  local: booleanOr(local, "a boolean or options of the copies in this process"),
  retryAfter: duration(),
  serializer: functions("a serializer with serialize() and deserialize()", "serialize", "deserialize"),
  compress: booleanOr(compress, "a boolean or { threshold } with a number of bytes"),
  maxBytes: whole(1, MOST_BYTES),
  maxKeyBytes: whole(1, MOST_BYTES),
  memory: options(memory, "an object with options of the embedded store").optional(),
};

export const cookie: Shape<SessionCookieOptions> = {
  name: text("the name of a cookie"),
  path: text("a path"),
  domain: text("a domain"),
  sameSite: z.enum(["strict", "lax", "none"], { error: '"strict", "lax" or "none"' }).optional(),
  partitioned: YES_OR_NO,
  persistent: YES_OR_NO,
  insecure: YES_OR_NO,
};

const REPLICA_COUNT = `a whole number from ${REPLICAS.min} to ${REPLICAS.max}`;

export const durable: Shape<Durability> = {
  replicas: z.int({ error: REPLICA_COUNT }).min(REPLICAS.min, { error: REPLICA_COUNT }).max(REPLICAS.max, {
    error: REPLICA_COUNT,
  }),
  timeout: duration(REPLICA_TIMEOUT),
};

const durability = options(durable, "{ replicas, timeout }").optional();

const SECRETS = `an array of strings of at least ${SECRET_LENGTH} characters`;

export const sessions: Shape<SessionsOptions> = {
  ttl: duration(TIME_TO_LIVE),
  absoluteTtl: duration(TIME_TO_LIVE),
  touchEvery: duration(),
  maxPerUser: z.custom<SessionsOptions["maxPerUser"]>((value) => fits(() => maxPerUserOf(value)), {
    error: MAX_PER_USER_WANTED,
  }).optional(),
  renewalGrace: duration(GRACE),
  maxBytes: whole(0, Number.MAX_SAFE_INTEGER),
  cookie: options(cookie, "an object with options of the cookie").optional(),
  secrets: z.array(z.string({ error: SECRETS }).min(SECRET_LENGTH, { error: SECRETS }), { error: SECRETS }).optional(),
  onUnavailable: z.enum(["throw", "none"], { error: '"throw" or "none"' }).optional(),
  durability,
  schema: z.custom<SessionsOptions["schema"]>(isStandardSchema, {
    error: "a Standard Schema, such as one of Zod",
  })
    .optional(),
};

export const images: Shape<ImageOptions> = {
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
  errorTtl: duration(ERROR_TTL),
  staleIfError: duration(),
};

export const rateLimit: Shape<RateLimitOptions> = {
  presets: z.record(z.string(), z.unknown(), { error: "an object with limits by name" }).superRefine(fitPresets)
    .optional() as z.ZodType<RateLimitOptions["presets"]>,
  timeout: duration(LIMIT_TIMEOUT),
  localShare: z.custom<number>(LOCAL_SHARE.fits, { error: LOCAL_SHARE.wanted }).optional(),
  maxDenials: whole(0, Number.MAX_SAFE_INTEGER),
  trustProxy: z.custom<TrustProxy>((trust) => fits(() => addressReader(trust as TrustProxy)), { error: TRUST_WANTED })
    .optional(),
  ipv6Prefix: whole(PREFIX_RANGE.min, PREFIX_RANGE.max),
  legacyHeaders: z.union([z.enum(["epoch", "delta"]), z.literal(false)], { error: '"epoch", "delta" or false' })
    .optional(),
  exposeHeaders: YES_OR_NO,
  durability,
};

export const streams: Shape<StreamsOptions> = {
  serializer: functions("a serializer with serialize() and deserialize()", "serialize", "deserialize"),
  maxBytes: whole(1, MOST_MESSAGE_BYTES),
};

export const pubsub: Shape<PubSubOptions> = {
  serializer: functions("a serializer with serialize() and deserialize()", "serialize", "deserialize"),
  maxBytes: whole(1, MOST.bytes),
  buffer: whole(1, MOST.buffered),
  onFull: z.enum(ON_FULL, { error: '"drop-oldest", "drop-newest" or "error"' }).optional(),
};
