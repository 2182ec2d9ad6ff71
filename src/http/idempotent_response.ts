import { describe } from "../util/describe.ts";
import { decoder } from "../util/utf8.ts";
import { idempotencyProblem } from "./idempotency_key.ts";
import { keptHeaders } from "./stored_response.ts";

/** SHA-256 of the request. */
const PRINT = 32;
/** Milliseconds after which a body is one that goes on and on. */
const STREAMS_AFTER = 1000;
const encoder = new TextEncoder();

/** What is kept of a response, in front of its body. */
interface Head {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Whether there is no body, since it was too large, or went on and on. */
  readonly cut: boolean;
}

/**
 * Reads a response to be kept. One that is too large, or goes on and on, is kept without its body, so that what it
 * answers is not done again.
 *
 * @param response What the handler gave.
 * @param print The SHA-256 of the request.
 * @param most How many bytes its body may have.
 * @returns The response for who asked, and the bytes that are kept.
 */
export async function keepResponse(
  response: Response,
  print: Uint8Array,
  most: number,
): Promise<{ value: Response; keep: Uint8Array }> {
  const { status, body } = response;
  const head = { status, headers: keptHeaders(response.headers) };
  if (body === null) return { value: response, keep: encode({ ...head, cut: false }, print, []) };
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), STREAMS_AFTER);
  let [length, next] = [0, reader.read()];
  try {
    for (let read = await Promise.race([next, late.promise]); length <= most;) {
      if (read === "late") break;
      if (read.done) {
        return { value: withBody(response, chunks), keep: encode({ ...head, cut: false }, print, chunks) };
      }
      chunks.push(read.value);
      length += read.value.length;
      next = reader.read();
      read = await Promise.race([next, late.promise]);
    }
  } finally {
    clearTimeout(timer);
  }
  return { value: withBody(response, chunks, { reader, next }), keep: encode({ ...head, cut: true }, print, []) };
}

type Rest = { reader: ReadableStreamDefaultReader<Uint8Array>; next: ReturnType<Rest["reader"]["read"]> };

/** A response with what was read of its body, and the rest as it comes. */
function withBody(response: Response, chunks: Uint8Array[], rest?: Rest): Response {
  rest?.next.catch(() => {});
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = chunks.shift();
      if (chunk) return controller.enqueue(chunk);
      if (!rest) return controller.close();
      const { done, value } = await rest.next;
      if (done) return controller.close();
      rest.next = rest.reader.read();
      rest.next.catch(() => {});
      controller.enqueue(value);
    },
    cancel: (reason) => rest?.reader.cancel(reason),
  });
  return new Response(body, response);
}

/** Bytes: the print of the request, the length of the head, the head as JSON, the body. */
function encode(head: Head, print: Uint8Array, chunks: readonly Uint8Array[]): Uint8Array {
  const text = encoder.encode(JSON.stringify(head));
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const bytes = new Uint8Array(PRINT + 4 + text.length + length);
  bytes.set(print);
  new DataView(bytes.buffer).setUint32(PRINT, text.length);
  bytes.set(text, PRINT + 4);
  let at = PRINT + 4 + text.length;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/**
 * Answers a request from what is kept.
 *
 * @param bytes What {@linkcode keepResponse} gave.
 * @param print The SHA-256 of the request.
 * @returns The same response, or what is wrong with the request.
 * @throws {TypeError} If something else is there.
 */
export function replayResponse(bytes: Uint8Array, print: Uint8Array): Response {
  if (bytes.length < PRINT + 4) throw damaged(bytes);
  if (print.some((byte, i) => bytes[i] !== byte)) {
    return idempotencyProblem(422, "This Idempotency-Key was used for another request");
  }
  const end = PRINT + 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(PRINT);
  if (end > bytes.length) throw damaged(end);
  const { status, headers, cut } = JSON.parse(decoder.decode(bytes.subarray(PRINT + 4, end))) as Head;
  if (cut) {
    return idempotencyProblem(409, "This request was answered before, with a response that is too large to be kept");
  }
  const none = [204, 205, 304].includes(status);
  const response = new Response(none ? null : bytes.slice(end), { status, headers: headers.map((pair) => [...pair]) });
  response.headers.set("idempotent-replayed", "true");
  return response;
}

function damaged(got: unknown): TypeError {
  return new TypeError(`Cannot read what was answered: wanted it as it was written, got ${describe(got)}`);
}
