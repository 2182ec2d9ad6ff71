import type { Cache } from "../cache/cache.ts";
import { listenerOf } from "../cache/listener.ts";
import { callQuietly } from "../util/callbacks.ts";
import { tagsOf } from "./response_key.ts";
import type { ResponsePolicy } from "./response_policy.ts";
import type { RequestTarget } from "../web/target.ts";

/**
 * Methods that change nothing, as they are registered (RFC 9110, section 16.1.1), and `QUERY`, which is about to be.
 */
const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"]);

/** Whether a method changes nothing. */
export function isSafe(method: string): boolean {
  return SAFE.has(method);
}

/** A successful request that changes something takes what is kept of its URL along (RFC 9111, section 4.4). */
export async function takeAlong(
  { cache, policy }: { readonly cache: Cache; readonly policy: ResponsePolicy },
  request: Request,
  target: RequestTarget,
  { status, headers }: Response,
): Promise<void> {
  if (status < 200 || status >= 400) return;
  const tags = new Set<string>();
  const warn = (what: string, error: unknown) => {
    const message = `${what}: ${error instanceof Error ? error.message : error}`;
    callQuietly(listenerOf(cache), { type: "warning", message });
  };
  for (const place of [target, ...placesOf(target, headers)]) {
    try {
      for (const tag of tagsOf(request, place, policy)) tags.add(tag);
    } catch (error) {
      warn(`A change of ${request.method} reached one URL only, since its key could not be told`, error);
    }
  }
  try {
    // Not by the signal of who asked: what he has changed is changed when he hangs up.
    await cache.invalidateByTag([...tags]);
  } catch (error) {
    warn(`A change of ${request.method} did not reach the cache`, error);
  }
}

/** URLs of the same host that a response says it has changed. */
function* placesOf(target: RequestTarget, headers: Headers): Generator<RequestTarget> {
  const { scheme, host, path } = target;
  for (const name of ["location", "content-location"]) {
    const place = headers.get(name);
    const url = place === null ? null : URL.parse(place, `${scheme}://${host}${path}`);
    if (url === null || url.protocol !== `${scheme}:` || url.host !== host) continue;
    yield { ...target, path: url.pathname, query: url.search };
  }
}
