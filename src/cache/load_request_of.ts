import { assertTags } from "../util/keys.ts";
import type { RefreshAhead } from "./early.ts";
import { type LoadRequest, siteOf } from "./load_request.ts";
import type { GetOrSetOptions, Loader } from "./options.ts";
import { type LoadPolicy, loadPolicyOf, type Policy, policyOf } from "./policy.ts";
import { versionOf } from "./version.ts";

/**
 * Checks the options of a load, and takes what they do not say from those of the cache.
 *
 * @throws {TypeError | RangeError} If one is not as it should be.
 */
export function loadRequestOf<T>(
  loader: Loader<T>,
  options: GetOrSetOptions<T>,
  loads: LoadPolicy,
  policy: Policy,
  early: RefreshAhead,
): LoadRequest<T> {
  const { ttl, tags, schema, lock = true, fresh = false, staleWhileRevalidate, staleIfError, jitter } = options;
  const varies = typeof ttl === "function";
  const resolved = loadPolicyOf(options, loads);
  const kept = policyOf({ ttl: varies ? undefined : ttl, staleWhileRevalidate, staleIfError, jitter }, policy);
  const { lease, timeout, hardTimeout, beta, refreshAhead, waitTimeout, unstorable } = resolved;
  // Spelled out: this is done for each hit, and spreading is slow.
  return {
    lease,
    timeout,
    hardTimeout,
    beta,
    waitTimeout,
    unstorable,
    refreshAhead: refreshAhead === 0 || varies ? refreshAhead : early.within(refreshAhead, kept.ttl),
    loader,
    policy: kept,
    ttl: varies ? ttl : undefined,
    tags: typeof tags === "function" ? tags : assertTags(tags, "read from the cache"),
    schema,
    version: versionOf(options.version),
    lock,
    fresh,
    site: siteOf(loader, options),
  };
}
