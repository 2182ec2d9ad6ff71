import { Buffer } from "node:buffer";
import type { Larder } from "../connect/larder.ts";
import type { FastifyHook } from "./fastify_types.ts";
import { answerWith } from "./fastify_answer.ts";
import { Idempotency, type IdempotencyOptions } from "./idempotency.ts";
import { knownOf } from "./node_context.ts";
import { bodyOf, inTime, rawBodyOf } from "./node_idempotent.ts";
import { capture, type Captured } from "./node_response.ts";
import { send } from "./node_send.ts";

const WANTED = "wanted the hook at preHandler, when the body has been read";

/**
 * Makes a hook that has a request with `Idempotency-Key` answered once:
 * [`idempotent()`](https://jsr.io/@larder/larder/doc/http/~/idempotent) of `@larder/larder/http` for Fastify. It
 * belongs to `preHandler`, since bodies are compared as they were read.
 *
 * @param redis What `connect()` gave.
 * @param options For how long, for whom, which responses.
 * @returns The hook, as in `app.post("/pay", { preHandler: idempotent(redis) }, pay)`.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 */
export function idempotent(redis: Pick<Larder, "locks">, options: IdempotencyOptions = {}): FastifyHook {
  const idempotency = new Idempotency(redis, options);
  return (incoming, reply, done) => {
    const { request, info } = knownOf(incoming.raw);
    if (!idempotency.concerns(request)) return done();
    let captured: Captured | undefined;
    const body = () => Promise.resolve(bodyOf(rawBodyOf(incoming), request.headers, WANTED));
    idempotency.answer({ request, body, info }, async () => {
      // What is done is done to its end, though nobody may be there any more to be told.
      captured = capture(reply.raw, { patient: true });
      done();
      return await inTime(captured.response, reply.raw);
    }).then(async (response) => {
      if (captured) await send(reply.raw, response, () => false, captured);
      else answerWith(reply, response, await bytesOf(response));
    }).catch((error) => {
      captured?.restore();
      if (captured) (reply.raw as { destroy?: (error: unknown) => void }).destroy?.(error);
      else if (!reply.raw.destroyed) done(error);
    });
  };
}

/** The body; `null` where there is none, since whatever else gets a length and a type. */
async function bytesOf(response: Response): Promise<Uint8Array | null> {
  if (response.body === null) return null;
  // Only what is Node's own is sent as it is.
  return Buffer.from(await response.arrayBuffer());
}
