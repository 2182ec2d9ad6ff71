import type { Larder } from "../connect/larder.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import type { HonoContextLike } from "./hono_context.ts";
import { Idempotency, type IdempotencyOptions, readBody } from "./idempotency.ts";

/**
 * Makes a middleware that has a request with `Idempotency-Key` answered once:
 * [`idempotent()`](https://jsr.io/@larder/larder/doc/http/~/idempotent) of `@larder/larder/http` for Hono.
 *
 * @param redis What `connect()` gave.
 * @param options For how long, for whom, which responses.
 * @returns The middleware.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function idempotent(
  redis: Pick<Larder, "locks">,
  options: IdempotencyOptions = {},
): (context: HonoContextLike, next: () => Promise<void>) => Promise<Response | void> {
  const idempotency = new Idempotency(redis, options);
  return async (context, next) => {
    const { raw: request } = context.req;
    if (!idempotency.concerns(request)) return await next();
    let ran = false;
    const body = async () => {
      const cached = (context.req as { arrayBuffer?: () => Promise<ArrayBuffer> }).arrayBuffer;
      // What middleware in front has read, Hono has.
      if (request.bodyUsed && cached) return new Uint8Array(await cached.call(context.req));
      const read = await readBody(request, idempotency.maxBytes);
      context.req.raw = read.request;
      return read.bytes;
    };
    const { env } = context;
    const info = typeof env === "object" && env !== null ? env as ConnectionInfo : undefined;
    const response = await idempotency.answer({ request, body, info }, async () => {
      ran = true;
      await next();
      // Hono answers what a handler threw itself, and says so.
      return context.res;
    });
    if (!ran) return context.newResponse?.(response.body, response) ?? response;
    if (response === context.res) return;
    // Hono would merge the headers of the one before into the next.
    context.res = undefined as unknown as Response;
    context.res = response;
  };
}
