import { describe } from "../util/describe.ts";
import { type DurationLimits, TIME_TO_LIVE, toMilliseconds } from "../util/duration.ts";
import { assertTags } from "../util/keys.ts";
import type { CreateSessionOptions, SessionsOptions } from "./options.ts";
import type { SessionDevice } from "./session.ts";
import type { NewSession, SessionRenewal, WhenFull } from "./store.ts";

/** Times and limits of sessions, in milliseconds and bytes; 0 = none. */
export interface Limits {
  readonly idle: number;
  readonly absolute: number;
  readonly maxPerUser: number;
  readonly whenFull: WhenFull;
  readonly grace: number;
  readonly maxBytes: number;
}

const USER_AGENT = 512;
const ADDRESS = 64;

/** The times for which an id that was given up can be remembered. */
export const GRACE: DurationLimits = { max: 3_600_000 };

/** The end of the sentence "wanted …" for `maxPerUser`. */
export const MAX_PER_USER_WANTED =
  'a whole number of at least 0, or { limit, whenFull } with "oldest" or "least-recent"';

/** The times and limits that options say. */
export function limitsOf(options: SessionsOptions<object>): Limits {
  const { ttl = "24h", absoluteTtl = "30d", renewalGrace = "10s", maxBytes = 65_536 } = options;
  if (!isCount(maxBytes)) {
    throw new RangeError(`Cannot use "maxBytes": wanted a whole number of at least 0, got ${describe(maxBytes)}`);
  }
  return {
    idle: toMilliseconds(ttl, "ttl", TIME_TO_LIVE),
    absolute: toMilliseconds(absoluteTtl, "absoluteTtl", TIME_TO_LIVE),
    grace: toMilliseconds(renewalGrace, "renewalGrace", GRACE),
    maxBytes,
    ...maxPerUserOf(options.maxPerUser),
  };
}

/**
 * How many sessions a user may have, and which go.
 *
 * @throws {RangeError} If it makes no sense.
 */
export function maxPerUserOf(option: unknown = 0): { maxPerUser: number; whenFull: WhenFull } {
  const given = typeof option === "object" && option !== null ? option : { limit: option };
  const { limit, whenFull = "oldest", ...others } = given as { limit?: unknown; whenFull?: unknown };
  const known = whenFull === "oldest" || whenFull === "least-recent";
  if (isCount(limit) && known && Object.keys(others).length === 0) return { maxPerUser: limit, whenFull };
  const got = !isCount(limit) ? limit : known ? Object.keys(others)[0] : whenFull;
  throw new RangeError(`Cannot use "maxPerUser": wanted ${MAX_PER_USER_WANTED}, got ${describe(got)}`);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The milliseconds between two writes of a session's last use, for the store; `undefined` for the default. */
export function touchEveryOf({ touchEvery }: SessionsOptions<object>): number | undefined {
  return touchEvery === undefined ? undefined : toMilliseconds(touchEvery, "touchEvery");
}

/** What one call says of a new session. */
export function resolveCreate(
  options: CreateSessionOptions,
  defaults: Limits,
): Pick<NewSession, "idle" | "absolute" | "maxPerUser" | "whenFull" | "tags" | "device" | "persistent"> {
  const { ttl, absoluteTtl, tags } = options;
  const action = "create session";
  return {
    idle: ttl === undefined ? defaults.idle : toMilliseconds(ttl, "ttl", TIME_TO_LIVE),
    absolute: absoluteTtl === undefined ? defaults.absolute : toMilliseconds(absoluteTtl, "absoluteTtl", TIME_TO_LIVE),
    maxPerUser: defaults.maxPerUser,
    whenFull: defaults.whenFull,
    tags: assertTags(tags, action),
    device: deviceOf(options, action),
    persistent: persistentOf(options, action),
  };
}

/** What changes of a session that gets a new id; `undefined` stays as it is. */
export type RenewedOptions = Pick<SessionRenewal, "idle" | "absolute" | "tags" | "device" | "persistent">;

/** What one call says of a session that gets a new id, and a new user if one is named. */
export function resolveRegenerate(options: CreateSessionOptions, login: boolean, defaults: Limits): RenewedOptions {
  const { ttl, absoluteTtl, tags } = options;
  const action = "regenerate session";
  const absolute = absoluteTtl === undefined ? undefined : toMilliseconds(absoluteTtl, "absoluteTtl", TIME_TO_LIVE);
  return {
    idle: ttl === undefined ? undefined : toMilliseconds(ttl, "ttl", TIME_TO_LIVE),
    absolute: absolute ?? (login ? defaults.absolute : undefined),
    tags: tags === undefined ? undefined : assertTags(tags, action),
    device: deviceOf(options, action) || undefined,
    persistent: persistentOf(options, action),
  };
}

function persistentOf({ persistent }: CreateSessionOptions, action: string): boolean | undefined {
  if (persistent === undefined || typeof persistent === "boolean") return persistent;
  throw new TypeError(`Cannot ${action}: wanted a boolean as "persistent", got ${describe(persistent)}`);
}

function deviceOf({ request, address }: CreateSessionOptions, action: string): string {
  const userAgent = request?.headers.get("user-agent")?.slice(0, USER_AGENT);
  if (address !== undefined && address !== null && typeof address !== "string") {
    throw new TypeError(`Cannot ${action}: wanted a string as the address, got ${describe(address)}`);
  }
  if (!userAgent && !address) return "";
  // Nobody can do without a login because a proxy says a lot.
  const short = address?.slice(0, ADDRESS);
  return JSON.stringify({ ...(userAgent && { userAgent }), ...(short && { address: short }) } satisfies SessionDevice);
}
