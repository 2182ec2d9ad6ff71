import { describe } from "../util/describe.ts";
import type { NodeRequestLike } from "../web/node_request.ts";
import type { NodeResponseLike } from "./node_response.ts";

const encoder = new TextEncoder();
/** Milliseconds that a handler has to answer after its visitor has gone. */
const PATIENCE = 30_000;

/** What a handler sends; who answers nobody is not waited for for ever. */
export async function inTime(response: Promise<Response>, outgoing: NodeResponseLike): Promise<Response> {
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

/**
 * The body of a request, as a parser in front has left it.
 *
 * @param body The body.
 * @param headers The headers of the request.
 * @param wanted What has to be in front.
 * @throws {TypeError} If nothing has read it.
 */
export function bodyOf(body: unknown, headers: Headers, wanted: string): Uint8Array {
  if (body instanceof Uint8Array) return body;
  if (body !== undefined && body !== null) {
    return encoder.encode(typeof body === "string" ? body : JSON.stringify(body));
  }
  const length = headers.get("content-length");
  if ((length === null || length === "0") && !headers.has("transfer-encoding")) return new Uint8Array(0);
  throw new TypeError(`Cannot compare the request with the one before: ${wanted}, got the body ${describe(body)}`);
}

/** The body as some parsers keep it beside what they made of it. */
export function rawBodyOf(request: NodeRequestLike | object): unknown {
  const { rawBody, body } = request as { rawBody?: unknown; body?: unknown };
  return rawBody ?? body;
}
