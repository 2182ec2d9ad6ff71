import type { Larder } from "../connect/larder.ts";
import type { Middleware } from "./cache_response.ts";
import { Idempotency, type IdempotencyOptions, readBody } from "./idempotency.ts";
import { assertRequest } from "../web/fetch_request.ts";

export type { IdempotencyOptions } from "./idempotency.ts";

/**
 * Makes a middleware that has a request with `Idempotency-Key` answered once
 * (draft-ietf-httpapi-idempotency-key-header): the first with a key runs the handler, and those that come later get the
 * same response, with `Idempotent-Replayed: true`. While it runs they get 409, and 422 if the method, the target or the
 * body is another.
 *
 * A handler that throws, or answers with 5xx, leaves it to the next request to try again. A response whose body is
 * larger than `maxBytes`, or goes on for more than a second, goes to who asked first; later requests get 409, since
 * what was done is not done again. `Set-Cookie` and what belongs to one connection is not kept. Without Redis, requests
 * with the header get 503: nobody knows whether they were answered before.
 *
 * @param redis What `connect()` gave.
 * @param options For how long, for whom, which responses.
 * @returns The middleware: `(request, next) => response`.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 *
 * @example A payment that a client sends again
 * ```ts
 * import { connect } from "@larder/larder";
 * import { idempotent } from "@larder/larder/http";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const once = idempotent(redis, { ttl: "24h" });
 * let paid = 0;
 * const handler = (request: Request) => once(request, () => Response.json({ payment: ++paid }, { status: 201 }));
 *
 * const headers = { "idempotency-key": "a1" };
 * const pay = (body: string) => handler(new Request("http://localhost/pay", { method: "POST", body, headers }));
 * assert.deepEqual(await (await pay("7")).json(), { payment: 1 });
 * const again = await pay("7");
 * assert.deepEqual([again.status, await again.json()], [201, { payment: 1 }]);
 * assert.equal((await pay("8")).status, 422);
 * ```
 */
export function idempotent(redis: Pick<Larder, "locks">, options: IdempotencyOptions = {}): Middleware {
  const idempotency = new Idempotency(redis, options);
  return async (request, next, info) => {
    assertRequest(request);
    if (!idempotency.concerns(request)) return await next(request);
    let handed = request;
    const body = async () => {
      const read = await readBody(request, idempotency.maxBytes);
      handed = read.request;
      return read.bytes;
    };
    return await idempotency.answer({ request, body, info }, () => next(handed));
  };
}
