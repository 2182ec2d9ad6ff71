import type { Readable } from "node:stream";
import type { FastifyReplyLike } from "./fastify_types.ts";

/**
 * Answers by Fastify.
 *
 * @param reply The reply.
 * @param response Status and headers.
 * @param body What is no stream gets a length of its own.
 */
export function answerWith(
  reply: FastifyReplyLike,
  { status, headers }: Response,
  body: string | Uint8Array | ReadableStream<Uint8Array> | Readable | null,
): FastifyReplyLike {
  for (const [name, value] of headers) reply.header(name, value);
  reply.code(status);
  reply.send(body);
  return reply;
}
