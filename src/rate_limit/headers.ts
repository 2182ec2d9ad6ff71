import { type List, parseList, serializeList } from "structured-headers";
import type { RateLimitResult, RateLimitState } from "./result.ts";

/** Which headers are written, and how. */
export interface HeaderStyle {
  /** How `X-RateLimit-Reset` is written, or that none of its kind is. */
  readonly legacy: "epoch" | "delta" | false;
  /** Whether scripts of other origins may read them. */
  readonly expose: boolean;
}

/** What scripts of other origins may read only if the response says so. */
const EXPOSED = ["RateLimit", "RateLimit-Policy", "Retry-After"];
const EXPOSED_LEGACY = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];

/**
 * Writes the headers of a result. `RateLimit` and `RateLimit-Policy` are lists of RFC 9651: what another limit has put
 * there stays if it is of this draft, what this one has is replaced. Of the legacy headers there is one of each, for
 * the tightest.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
 */
export function writeHeaders(headers: Headers, result: RateLimitResult, style: HeaderStyle): void {
  const states = unique(result.results);
  const names = new Set(states.map(({ name }) => name));
  const policies: List = states.map(({ name, limit, window }) => [
    name,
    new Map([["q", limit], ["w", Math.max(1, Math.ceil(window))]]),
  ]);
  headers.set("RateLimit-Policy", serializeList([...others(headers.get("RateLimit-Policy"), names), ...policies]));
  const counted = states.filter(({ source }) => source !== "policy");
  if (counted.length > 0) {
    const limits: List = counted.map(({ name, remaining, moreAfter }) => [
      name,
      new Map([["r", remaining], ["t", Math.ceil(moreAfter)]]),
    ]);
    headers.set("RateLimit", serializeList([...others(headers.get("RateLimit"), names), ...limits]));
    if (style.legacy) writeLegacy(headers, result, style.legacy);
  }
  if (!result.allowed) {
    const before = Number(headers.get("Retry-After")) || 0;
    headers.set("Retry-After", String(Math.max(before, retrySeconds(result))));
  }
  if (style.expose) expose(headers, style.legacy ? [...EXPOSED, ...EXPOSED_LEGACY] : EXPOSED);
}

/** Lets scripts of other origins read headers (CORS), beside those that they may read already. */
function expose(headers: Headers, names: readonly string[]): void {
  const there = headers.get("Access-Control-Expose-Headers") ?? "";
  const known = new Set(there.toLowerCase().split(",").map((name) => name.trim()));
  const more = names.filter((name) => headers.has(name) && !known.has(name.toLowerCase()));
  if (more.length > 0) headers.append("Access-Control-Expose-Headers", more.join(", "));
}

/** Whole seconds after which to come back: never too early, and at least one. */
export function retrySeconds({ retryAfter, window }: RateLimitState): number {
  return Math.max(1, wholeSeconds(retryAfter, window));
}

/**
 * How much longer than the window a wait may be without being one: stores round up to milliseconds, and
 * `sliding-window` counts in parts of a window, so that it may refuse 4 % longer.
 */
const ROUNDING = { share: 0.05, seconds: 0.01 };

/** Rounded up, but not beyond the window for the sake of how it is counted. */
function wholeSeconds(seconds: number, window: number): number {
  return Math.ceil(seconds <= window * (1 + ROUNDING.share) + ROUNDING.seconds ? Math.min(seconds, window) : seconds);
}

/** One for each name: that of which least is left. Field values are lists by name. */
function unique(states: readonly RateLimitState[]): RateLimitState[] {
  const byName = new Map<string, RateLimitState>();
  for (const state of states) {
    const known = byName.get(state.name);
    if (!known || state.remaining < known.remaining) byName.set(state.name, state);
  }
  return [...byName.values()];
}

/**
 * The members of a list that are there, without those of certain names. What cannot be read is dropped, as is what an
 * upstream wrote by an older draft: `100;w=60` is no policy with a name.
 */
function others(value: string | null, names: ReadonlySet<string>): List {
  if (value === null) return [];
  try {
    return parseList(value).filter(([name]) => typeof name === "string" && !names.has(name));
  } catch {
    return [];
  }
}

function writeLegacy(headers: Headers, result: RateLimitResult, style: "epoch" | "delta"): void {
  const there = headers.get("X-RateLimit-Remaining");
  if (there !== null && Number(there) < result.remaining) return; // of another limit, which is tighter
  const { resetAfter, window } = result;
  const reset = style === "delta" ? wholeSeconds(resetAfter, window) : Math.ceil(Date.now() / 1000 + resetAfter);
  headers.set("X-RateLimit-Limit", String(result.limit));
  headers.set("X-RateLimit-Remaining", String(result.remaining));
  headers.set("X-RateLimit-Reset", String(reset));
}
