import { describe } from "../describe.ts";
import { toMilliseconds } from "../duration.ts";
import { assertTags } from "../keys.ts";
import type { CreateSessionOptions, SessionsOptions } from "./options.ts";
import type { SessionDevice } from "./session.ts";

/** Times and limits of new sessions, in milliseconds; 0 = none. */
export interface Limits {
  readonly idle: number;
  readonly absolute: number;
  readonly maxPerUser: number;
}

const USER_AGENT = 512;
const ADDRESS = 64;

/** The times and limits that options say. */
export function limitsOf(options: SessionsOptions<object>): Limits {
  const { ttl = "24h", absoluteTtl = "30d", maxPerUser = 0 } = options;
  if (!Number.isSafeInteger(maxPerUser) || maxPerUser < 0) {
    throw new RangeError(`Cannot use "maxPerUser": wanted a whole number of at least 0, got ${describe(maxPerUser)}`);
  }
  return { idle: toMilliseconds(ttl, "ttl"), absolute: toMilliseconds(absoluteTtl, "absoluteTtl"), maxPerUser };
}

/** The milliseconds between two writes of a session's last use, for the store; `undefined` for the default. */
export function touchEveryOf({ touchEvery }: SessionsOptions<object>): number | undefined {
  return touchEvery === undefined ? undefined : toMilliseconds(touchEvery, "touchEvery");
}

/** What one call says of a new session. */
export function resolveCreate(
  options: CreateSessionOptions,
  defaults: Limits,
): { idle: number; absolute: number; maxPerUser: number; tags: readonly string[]; device: string } {
  const { ttl, absoluteTtl, tags } = options;
  return {
    idle: ttl === undefined ? defaults.idle : toMilliseconds(ttl, "ttl"),
    absolute: absoluteTtl === undefined ? defaults.absolute : toMilliseconds(absoluteTtl, "absoluteTtl"),
    maxPerUser: defaults.maxPerUser,
    tags: assertTags(tags, "create session"),
    device: deviceOf(options),
  };
}

function deviceOf({ request, address }: CreateSessionOptions): string {
  const userAgent = request?.headers.get("user-agent")?.slice(0, USER_AGENT);
  if (address !== undefined && (typeof address !== "string" || address.length > ADDRESS)) {
    const wanted = `an address of up to ${ADDRESS} characters`;
    throw new TypeError(`Cannot create session: wanted ${wanted}, got ${describe(address)}`);
  }
  if (!userAgent && !address) return "";
  return JSON.stringify({ ...(userAgent && { userAgent }), ...(address && { address }) } satisfies SessionDevice);
}
