import { type List, parseList, serializeList } from "structured-headers";
import type { RateLimitResult, RateLimitState } from "./result.ts";

/** How `X-RateLimit-Reset` is written, or that none of its kind is. */
export type HeaderStyle = "epoch" | "delta" | false;

/**
 * Writes the headers of a result. `RateLimit` and `RateLimit-Policy` are lists of RFC 9651: what another limit has put there stays,
 * what this one has is replaced. Of the legacy headers there is one of each, for the tightest.
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
    if (style) writeLegacy(headers, result, style);
  }
  if (!result.allowed) {
    const before = Number(headers.get("Retry-After")) || 0;
    headers.set("Retry-After", String(Math.max(before, retrySeconds(result))));
  }
}

/** Whole seconds after which to come back: never too early, and at least one. */
export function retrySeconds({ retryAfter }: RateLimitState): number {
  return Math.max(1, Math.ceil(retryAfter));
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

/** The members of a list that are there, without those of certain names. What cannot be read is dropped. */
function others(value: string | null, names: ReadonlySet<string>): List {
  if (value === null) return [];
  try {
    return parseList(value).filter(([name]) => typeof name !== "string" || !names.has(name));
  } catch {
    return [];
  }
}

function writeLegacy(headers: Headers, result: RateLimitResult, style: "epoch" | "delta"): void {
  const there = headers.get("X-RateLimit-Remaining");
  if (there !== null && Number(there) < result.remaining) return; // of another limit, which is tighter
  const reset = style === "delta" ? Math.ceil(result.resetAfter) : Math.ceil(Date.now() / 1000 + result.resetAfter);
  headers.set("X-RateLimit-Limit", String(result.limit));
  headers.set("X-RateLimit-Remaining", String(result.remaining));
  headers.set("X-RateLimit-Reset", String(reset));
}
