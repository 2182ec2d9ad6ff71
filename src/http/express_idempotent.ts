import type { Larder } from "../connect/larder.ts";
import { describe } from "../util/describe.ts";
import type { NodeRequestLike } from "../web/node_request.ts";
import { Idempotency, type IdempotencyOptions } from "./idempotency.ts";
import { knownOf } from "./node_context.ts";
import { capture, type Captured, type NodeResponseLike, send } from "./node_response.ts";

const encoder = new TextEncoder();
/** Milliseconds that a handler has to answer after its visitor has gone. */
const PATIENCE = 30_000;

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
      const body = () => Promise.resolve(bodyOf(incoming, request.headers));
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

/** What a handler sends; who answers nobody is not waited for for ever. */
async function inTime(response: Promise<Response>, outgoing: NodeResponseLike): Promise<Response> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const closed = () => {
    timer = setTimeout(() => reject(new Error("Cannot answer the request: the connection was closed")), PATIENCE);
  };
  outgoing.on("close", closed);
  try {
    return await Promise.race([response, late]);
  } finally {
    outgoing.removeListener("close", closed);
    clearTimeout(timer);
  }
}

/** The body, as a parser in front has left it. */
function bodyOf(incoming: NodeRequestLike, headers: Headers): Uint8Array {
  const { rawBody, body } = incoming as { rawBody?: unknown; body?: unknown };
  const parsed = rawBody ?? body;
  if (parsed instanceof Uint8Array) return parsed;
  if (parsed !== undefined) return encoder.encode(typeof parsed === "string" ? parsed : JSON.stringify(parsed));
  const length = headers.get("content-length");
  if ((length === null || length === "0") && !headers.has("transfer-encoding")) return new Uint8Array(0);
  const wanted = "wanted a parser of bodies in front, such as express.json()";
  throw new TypeError(`Cannot compare the request with the one before: ${wanted}, got the body ${describe(body)}`);
}
