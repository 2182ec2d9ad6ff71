/**
 * What a service shows to the outside over HTTP, as handlers that take a `Request` and give a `Response`.
 *
 * @example Health
 * ```ts
 * import { connect } from "@larder/larder";
 * import { healthHandler } from "@larder/larder/http";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const response = await healthHandler(redis)(new Request("http://localhost/health"));
 * assert.equal(response.status, 200);
 * ```
 *
 * @module
 */
export * from "./cache_response.ts";
export * from "./health.ts";
export * from "./idempotent.ts";
export * from "./metrics.ts";
export * from "./sse.ts";
export { fromNodeRequest, type NodeRequestLike } from "../web/node_request.ts";
export type {
  AddressTeller,
  ConnectionInfo,
  SocketLike,
  TrustProxy,
  TrustProxyOptions,
} from "../rate_limit/address.ts";
