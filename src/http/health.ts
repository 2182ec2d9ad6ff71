import { describe } from "../util/describe.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import type { Health } from "../connect/health.ts";
import type { Larder } from "../connect/larder.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import { assertToken, bearerOf } from "./bearer.ts";
import { assertRequest } from "../web/fetch_request.ts";
import { targetOf } from "../web/target.ts";
import { remoteAddress } from "../web/connection.ts";
import { timingSafeEqual } from "../util/timing_safe_equal.ts";

/** Options of `healthHandler()`. */
export interface HealthHandlerOptions {
  /**
   * Who sends it as `Authorization: Bearer …` is told details, besides those who ask from this machine itself, by
   * `localhost` or its address. A proxy on this machine has to hand on the `Host` of its clients or add
   * `X-Forwarded-For`: nginx does neither by itself.
   *
   * @default {nobody else is}
   */
  token?: string | undefined;
  /**
   * For how long an answer is given again, so that asking costs Redis next to nothing: seconds, or a string; 0 = ask
   * anew each time.
   *
   * @default {"1s"}
   */
  maxAge?: Duration | undefined;
}

/** Answers a request for the health of a service. */
export type HealthHandler = (request: Request, info?: ConnectionInfo) => Promise<Response>;

const OPTIONS = optionNames<HealthHandlerOptions>({ token: true, maxAge: true });

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|localhost)$/i;
/** Headers by which a proxy shows: behind one on this machine, everybody seems to be here. */
const FORWARDED =
  /^(?:forwarded$|x-forwarded-|x-real-ip$|x-client-ip$|via$|cf-connecting-ip$|true-client-ip$|x-original-)/;

/**
 * Makes a handler for `/health`.
 *
 * It answers 200 as long as this process is of use, also while Redis is away (`degraded`): an orchestrator must not
 * restart services because of that. With `?ready` it answers 503 when the status is `down`, so that no requests are
 * sent here. Everybody is told the status; details only those who ask from this machine or with the token.
 *
 * @param redis What `connect()` gave.
 * @param options Who is told details, and how old an answer may be.
 * @returns The handler, for `Deno.serve` and everything else that speaks `Request` and `Response`.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 *
 * @example Beside an application
 * ```ts
 * import { connect } from "@larder/larder";
 * import { healthHandler } from "@larder/larder/http";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const health = healthHandler(redis);
 * const handler = (request: Request) =>
 *   new URL(request.url).pathname === "/health" ? health(request) : new Response("hello");
 *
 * const response = await handler(new Request("http://localhost/health"));
 * assert.deepEqual(await response.json(), { status: "ok" });
 * ```
 */
export function healthHandler(redis: Pick<Larder, "health">, options: HealthHandlerOptions = {}): HealthHandler {
  assertOptions(options, OPTIONS, "make the health handler");
  const { token, maxAge = "1s" } = options;
  if (typeof redis?.health !== "function") {
    throw new TypeError(`Cannot make the health handler: wanted what connect() gave, got ${describe(redis)}`);
  }
  assertToken(token, "health handler");
  const age = toMilliseconds(maxAge, "maxAge");
  let last: { at: number; report: Promise<Health> } | undefined;
  const report = () => {
    if (last === undefined || performance.now() - last.at > age) {
      last = { at: performance.now(), report: redis.health() };
    }
    return last.report;
  };
  return async (request, info) => {
    assertRequest(request);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const health = await report();
    const ready = new URL(request.url).searchParams.has("ready");
    // A process that was closed is of no use any more; whatever else is wrong, a restart would not mend.
    const status = health.status === "down" && (ready || health.closed) ? 503 : 200;
    const body = await mayKnow(request, info, token) ? health : { status: health.status };
    const text = JSON.stringify(body);
    const headers = new Headers({ "content-type": "application/json", "cache-control": "no-store" });
    if (request.method !== "HEAD") return new Response(text, { status, headers });
    headers.set("content-length", String(new TextEncoder().encode(text).length));
    return new Response(null, { status, headers });
  };
}

async function mayKnow(
  request: Request,
  info: ConnectionInfo | undefined,
  token: string | undefined,
): Promise<boolean> {
  const { headers } = request;
  const given = bearerOf(request);
  if (token !== undefined && given !== undefined) return await timingSafeEqual(given, token);
  const peer = remoteAddress(request, info);
  if (peer === undefined || !LOOPBACK.test(peer) || [...headers.keys()].some((name) => FORWARDED.test(name))) {
    return false;
  }
  // A proxy on this machine that hands on the name that its client has used: nobody on this machine calls it so.
  const host = targetOf(request)?.host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return host !== undefined && LOOPBACK.test(host);
}
