import type { RateLimitResult } from "./result.ts";

const TYPES = "https://iana.org/assignments/http-problem-types#";

/**
 * The response to a refused call.
 *
 * @throws {TypeError} If it is not refused.
 */
export function problemResponse(result: RateLimitResult): Response {
  if (result.allowed) throw new TypeError("Cannot make a response: wanted a refused call, got one that is allowed");
  const refused = result.results.filter(({ allowed }) => !allowed);
  // An outage is no fault of the caller.
  const outage = refused.every(({ source }) => source === "policy");
  const status = outage ? 503 : 429;
  const headers = new Headers({ "Content-Type": "application/problem+json", "Cache-Control": "no-store" });
  result.headers(headers);
  const body = {
    type: TYPES + (outage ? "temporary-reduced-capacity" : "quota-exceeded"),
    title: outage ? "Service is temporarily unavailable" : "Request quota has been exceeded",
    status,
    "violated-policies": [...new Set(refused.map(({ name }) => name))],
  };
  return new Response(JSON.stringify(body), { status, headers });
}

/** The response to a call that takes more than there can ever be: to wait does not help. */
export function neverResponse(result: RateLimitResult): Response {
  const headers = new Headers({ "Content-Type": "application/problem+json", "Cache-Control": "no-store" });
  result.headers(headers);
  headers.delete("Retry-After");
  const body = {
    type: "about:blank",
    title: "Content Too Large",
    status: 413,
    detail: "The request takes more than its limit allows at once",
    "violated-policies": [...new Set(result.results.filter(({ allowed }) => !allowed).map(({ name }) => name))],
  };
  return new Response(JSON.stringify(body), { status: 413, headers });
}
