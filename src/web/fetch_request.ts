import { describe } from "../util/describe.ts";

/**
 * Refuses what is no `Request`, such as what Express and Fastify hand to a handler.
 *
 * @param request What came.
 * @throws {TypeError} If it is none.
 */
export function assertRequest(request: Request): void {
  const headers: unknown = request?.headers;
  if (typeof (headers as Headers | undefined)?.get === "function") return;
  const isOfNode = typeof headers === "object" && headers !== null;
  const got = isOfNode ? "one of node:http, for which @larder/larder/express and /fastify are" : describe(request);
  throw new TypeError(`Cannot answer the request: wanted a Request, got ${got}`);
}
