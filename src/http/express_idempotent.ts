import type { Larder } from "../connect/larder.ts";
import type { NodeRequestLike } from "../web/node_request.ts";
import { Idempotency, type IdempotencyOptions } from "./idempotency.ts";
import { knownOf } from "./node_context.ts";
import { bodyOf, inTime, rawBodyOf } from "./node_idempotent.ts";
import { capture, type Captured, type NodeResponseLike } from "./node_response.ts";
import { send } from "./node_send.ts";

const WANTED = "wanted a parser of bodies in front, such as express.json()";

/**
 * Makes a middleware that has a request with `Idempotency-Key` answered once:
 * [`idempotent()`](https://jsr.io/@larder/larder/doc/http/~/idempotent) of `@larder/larder/http` for Express. A parser
 * of bodies, such as `express.json()`, has to be in front, since a body can be read once only.
 *
 * @param redis What `connect()` gave.
 * @param options For how long, for whom, which responses.
 * @returns The middleware.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function idempotent(
  redis: Pick<Larder, "locks">,
  options: IdempotencyOptions = {},
): (request: NodeRequestLike, response: NodeResponseLike, next: (error?: unknown) => void) => Promise<void> {
  const idempotency = new Idempotency(redis, options);
  return async (incoming, outgoing, next) => {
    let captured: Captured | undefined;
    try {
      const { request, info } = knownOf(incoming);
      if (!idempotency.concerns(request)) return next();
      const body = () => Promise.resolve(bodyOf(rawBodyOf(incoming), request.headers, WANTED));
      const front = new Set(Object.keys(outgoing.getHeaders()));
      const response = await idempotency.answer({ request, body, info }, async () => {
        // What is done is done to its end, though nobody may be there any more to be told.
        captured = capture(outgoing, { patient: true });
        next();
        return await inTime(captured.response, outgoing);
      });
      const keep = (name: string) => !captured && front.has(name) && !response.headers.has(name);
      await send(outgoing, response, keep, captured);
    } catch (error) {
      captured?.restore();
      if (!outgoing.destroyed) next(error);
    }
  };
}
