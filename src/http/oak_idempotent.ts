import type { Larder } from "../connect/larder.ts";
import { readUpTo } from "../web/body.ts";
import { Idempotency, type IdempotencyOptions, readBody } from "./idempotency.ts";
import type { OakContextLike } from "./oak_context.ts";
import { connectionOf, requestOf } from "./oak_request.ts";
import type { OakResponseLike } from "./oak_response.ts";
import { type Connected, ownOf, putInto } from "./oak_rest.ts";

/** A signal that nothing aborts. */
const NEVER = new AbortController().signal;

/** The part of Oak's request that has its body. */
interface Body {
  readonly has: boolean;
  readonly used: boolean;
  readonly stream: ReadableStream<Uint8Array> | null;
}

/**
 * Makes a middleware that has a request with `Idempotency-Key` answered once:
 * [`idempotent()`](https://jsr.io/@larder/larder/doc/http/~/idempotent) of `@larder/larder/http` for Oak. It belongs in
 * front of whatever reads the body.
 *
 * @param redis What `connect()` gave.
 * @param options For how long, for whom, which responses.
 * @returns The middleware.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function idempotent(
  redis: Pick<Larder, "locks">,
  options: IdempotencyOptions = {},
): (context: OakContextLike, next: () => Promise<unknown>) => Promise<void> {
  const idempotency = new Idempotency(redis, options);
  return async (context, next) => {
    const request = requestOf(context);
    if (!idempotency.concerns(request)) return void await next();
    const body = () => bodyOf(context, idempotency.maxBytes);
    const response = await idempotency.answer({ request, body, info: connectionOf(context) }, async () => {
      return await answered(context, next);
    });
    if ((context as Connected).respond !== false) putInto(context.response, response);
  };
}

/** What is behind makes, which gets a response of its own to write to: Oak's can be read once only, to be sent. */
async function answered(context: OakContextLike, next: () => Promise<unknown>): Promise<Response> {
  const { response } = context;
  const Kind = response.constructor as new (request: unknown) => OakContextLike["response"];
  const own = new Kind(context.request);
  const put = (value: unknown) => Object.defineProperty(context, "response", { value, configurable: true });
  put(own);
  let made: OakResponseLike;
  try {
    await next();
    if ((context as Connected).respond === false) return Response.error(); // the handler sends it itself
    made = await own.toDomResponse();
  } finally {
    put(response);
  }
  return ownOf(made);
}

/** The body of a request, which the handler finds where it was. */
async function bodyOf({ request }: OakContextLike, most: number): Promise<Uint8Array | undefined> {
  if (request.source instanceof Request) return (await readBody(request.source, most)).bytes;
  const { body } = request as unknown as { body: Body };
  if (body.used) {
    const wanted = "wanted a body that nobody in front has read";
    throw new TypeError(`Cannot compare the request with the one before: ${wanted}, got one that was read`);
  }
  const bytes = body.has ? await readUpTo(body.stream, most, NEVER) : new Uint8Array(0);
  if (!bytes) return undefined;
  const Kind = body.constructor as new (request: object) => Body;
  const again = new Request("http://localhost/", {
    method: "POST",
    headers: request.headers,
    body: new Uint8Array(bytes),
  });
  Object.defineProperty(request, "body", { value: new Kind({ request: again }) });
  return bytes;
}
