import { describe } from "../util/describe.ts";
import type { Larder } from "../connect/larder.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { RateLimitCounts } from "../rate_limit/stats.ts";
import { LATENCY_BOUNDS, type RedisMetrics } from "../observe/redis_meter.ts";
import { assertRequest } from "../web/fetch_request.ts";
import { timingSafeEqual } from "../util/timing_safe_equal.ts";
import { assertToken, bearerOf } from "./bearer.ts";
import { channelFamilies, lockFamilies, streamFamilies } from "./coordination_metrics.ts";
import { counter, gauge, labelled, type MetricFamily, type Sample } from "./metric_family.ts";
import { CONTENT_TYPES, type MetricsFormat, writeMetrics } from "./open_metrics.ts";

/** The part of what `connect()` gives that is measured; whatever its types are. */
export type Measured = {
  readonly cache: Pick<Larder["cache"], "stats">;
  readonly sessions: Pick<Larder["sessions"], "stats">;
  readonly rateLimit: Pick<Larder["rateLimit"], "stats">;
  readonly locks?: Pick<Larder["locks"], "stats">;
  readonly pubsub?: Pick<Larder["pubsub"], "stats">;
  /** Streams, whose figures are told if they are there. */
  readonly streams?: Pick<Larder["streams"], "stats">;
  metrics(): RedisMetrics[];
};

/** Options of `metricsHandler()`. */
export interface MetricsHandlerOptions {
  /**
   * Who asks has to send it as `Authorization: Bearer …`.
   *
   * @default {everybody is answered: there are no secrets in it, but figures of your business}
   */
  token?: string | undefined;
}

const OPTIONS = optionNames<MetricsHandlerOptions>({ token: true });

/**
 * Makes a handler for `/metrics`, which Prometheus and whatever else reads OpenMetrics can ask.
 *
 * The figures are those of this process since its start; Redis is not asked. Names and labels are few and fixed: no
 * key, tag or address is among them.
 *
 * @param redis What `connect()` gave.
 * @param options Who is answered.
 * @returns The handler, for `Deno.serve` and everything else that speaks `Request` and `Response`.
 * @throws {TypeError} If an argument is not as it should be.
 *
 * @example Count hits
 * ```ts
 * import { connect } from "@larder/larder";
 * import { metricsHandler } from "@larder/larder/http";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * await redis.cache.set("a", 1);
 * await redis.cache.get("a");
 * const response = await metricsHandler(redis)(new Request("http://localhost/metrics"));
 * assert.match(await response.text(), /larder_cache_reads_total\{result="hit"\} 1/);
 * ```
 */
export function metricsHandler(
  redis: Measured,
  options: MetricsHandlerOptions = {},
): (request: Request) => Promise<Response> {
  assertOptions(options, OPTIONS, "make the metrics handler");
  const { token } = options;
  if (typeof redis?.metrics !== "function") {
    throw new TypeError(`Cannot make the metrics handler: wanted what connect() gave, got ${describe(redis)}`);
  }
  assertToken(token, "metrics handler");
  return async (request) => {
    assertRequest(request);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const given = bearerOf(request) ?? "";
    if (token !== undefined && !await timingSafeEqual(given, token)) {
      return new Response("A token is needed", { status: 401, headers: { "www-authenticate": "Bearer" } });
    }
    const format: MetricsFormat = wantsOpenMetrics(request.headers.get("accept") ?? "") ? "openmetrics" : "prometheus";
    const body = request.method === "HEAD" ? null : writeMetrics(familiesOf(redis), format);
    return new Response(body, { headers: { "content-type": CONTENT_TYPES[format], "cache-control": "no-store" } });
  };
}

function familiesOf(redis: Measured): MetricFamily[] {
  return [
    ...cacheFamilies(redis),
    ...sessionFamilies(redis),
    ...limitFamilies(redis),
    ...lockFamilies(redis.locks?.stats()),
    ...channelFamilies(redis.pubsub?.stats()),
    ...streamFamilies(redis.streams?.stats()),
    ...redisFamilies(redis.metrics()),
  ];
}

function sessionFamilies(redis: Measured): MetricFamily[] {
  const { created, destroyed, revoked, evicted, regenerated, unknown, errors } = redis.sessions.stats();
  const changes = { created, destroyed, revoked, evicted, regenerated };
  return [
    labelled("larder_sessions", "Changes of sessions by kind", "change", changes),
    counter("larder_session_unknown", "Reads with the id of a session that is not there", unknown),
    counter("larder_session_errors", "Reads of sessions that Redis did not answer", errors),
  ];
}

function limitFamilies(redis: Measured): MetricFamily[] {
  const presets = Object.entries(redis.rateLimit.stats().presets);
  const per = (name: string, help: string, samples: (counts: RateLimitCounts) => Sample[]): MetricFamily => ({
    name,
    type: "counter",
    help,
    samples: presets.flatMap(([preset, counts]) =>
      samples(counts).map((sample) => ({ ...sample, labels: { preset, ...sample.labels } }))
    ),
  });
  return [
    per("larder_rate_limit_checks", "Checks of rate limits by decision", ({ allowed, refused }) => [
      { labels: { decision: "allowed" }, value: allowed },
      { labels: { decision: "refused" }, value: refused },
    ]),
    per("larder_rate_limit_remembered", "Refusals that were repeated without asking Redis", ({ remembered }) => [
      { value: remembered },
    ]),
    per("larder_rate_limit_degraded", "Checks decided by a policy, Redis not answering", ({ degraded }) => [
      { value: degraded },
    ]),
  ];
}

function cacheFamilies(redis: Measured): MetricFamily[] {
  const stats = redis.cache.stats();
  const reads = { hit: stats.hits, stale: stats.stale, miss: stats.misses };
  const loads = { loaded: stats.loads - stats.loadErrors, failed: stats.loadErrors };
  return [
    labelled("larder_cache_reads", "Reads of the cache by what they found", "result", reads),
    labelled("larder_cache_loads", "Loaders that were run by how they ended", "result", loads),
    counter("larder_cache_coalesced", "Callers that were given what another caller's loader returned", stats.coalesced),
    counter("larder_cache_sets", "Values written by set and setMany", stats.sets),
    counter(
      "larder_cache_refused",
      "Writes refused because an invalidation or a newer write came first",
      stats.refused,
    ),
    counter("larder_cache_invalidations", "Invalidations asked for", stats.invalidations),
    counter("larder_cache_unreadable", "Entries that could not be read or did not fit the schema", stats.unreadable),
    counter("larder_cache_errors", "Operations that the store failed", stats.errors),
    gauge("larder_cache_loading", "Loaders that are running", stats.loading),
    gauge("larder_cache_queued_invalidations", "Invalidations that wait for Redis to be back", stats.queued),
  ];
}

function redisFamilies(servers: readonly RedisMetrics[]): MetricFamily[] {
  const latencies = servers.flatMap(({ role, latencies }) =>
    latencies.flatMap(({ operation, count, sum, buckets }): Sample[] => {
      const labels = { server: role, operation };
      return [
        ...buckets.map((value, i): Sample => ({
          suffix: "_bucket",
          labels: { ...labels, le: String(LATENCY_BOUNDS[i]) },
          value,
        })),
        { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: count },
        { suffix: "_sum", labels, value: sum },
        { suffix: "_count", labels, value: count },
      ];
    })
  );
  const failures = servers.flatMap(({ role, failures }) =>
    Object.entries(failures).map(([reason, value]): Sample => ({ labels: { server: role, reason }, value }))
  );
  return [
    {
      name: "larder_redis_round_trip_seconds",
      type: "histogram",
      help: "Time from the write of a command to its reply; all commands of one tick share one",
      unit: "seconds",
      samples: latencies,
    },
    { name: "larder_redis_failures", type: "counter", help: "Calls that Redis did not answer", samples: failures },
  ];
}

/** Whether OpenMetrics is wanted, and not less than plain text (RFC 9110, section 12.5.1): with `q=0` it is not. */
function wantsOpenMetrics(accept: string): boolean {
  const qualityOf = (type: string) => {
    const ranges = accept.toLowerCase().split(",").map((range) => range.split(";").map((part) => part.trim()));
    const found = ranges.filter(([name]) => name === type).map((parts) => {
      const q = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.exec(parts.find((part) => part.startsWith("q=")) ?? "q=1");
      return q ? Number(q[1]) : 0;
    });
    return found.length === 0 ? undefined : Math.max(...found);
  };
  const quality = qualityOf("application/openmetrics-text") ?? 0;
  return quality > 0 && quality >= (qualityOf("text/plain") ?? 0);
}
