import { varyOf } from "./freshness.ts";
import type { OakContextLike } from "./oak_context.ts";
import { atEnd, type OakResponseLike } from "./oak_response.ts";
import { addVary } from "../web/personal.ts";

/** As much of an app as a load needs. */
export interface Application {
  handle(request: Request): Promise<OakResponseLike | undefined>;
}

/** A response of Oak that can be written yet. */
interface OakResponse {
  status: number;
  headers: Headers;
  body: unknown;
  type?: string | undefined;
  readonly writable: boolean;
  toDomResponse(): Promise<OakResponseLike>;
}

/** What is behind a cache in an app. */
interface Taken {
  readonly by: object;
  response?: Response | undefined;
}

/** By the request of a load: where what is behind the cache is put, since what is in front comes again for each visitor. */
export const taking: WeakMap<Request, Taken> = new WeakMap();

/** Has an app answer the request of a load: with what is behind the cache, if it came as far. */
export async function answerOf(application: Application, request: Request, cache: object): Promise<Response> {
  const taken: Taken = { by: cache };
  taking.set(request, taken);
  const whole = ownOf(await application.handle(request));
  // Whoever set a cookie in front, such as of a session that began behind, set it for this one.
  if (!taken.response || whole.headers.has("set-cookie")) return whole;
  whole.body?.cancel().catch(() => {});
  // A session in front says so where it was asked for behind.
  if (varyOf(whole.headers).includes("cookie")) addVary(taken.response.headers, "Cookie");
  return taken.response;
}

/** The response as it is behind the cache, while Oak goes on with the same. */
export async function takeFrom(
  given: OakContextLike["response"],
  request: unknown,
  before: readonly (readonly [string, string])[],
): Promise<Response | undefined> {
  const response = given as unknown as OakResponse;
  if (!response.writable) return undefined;
  const { status, type, body } = response;
  const copy = new (response.constructor as new (request: unknown) => OakResponse)(request);
  copy.status = status;
  copy.headers = new Headers([...response.headers]);
  if (type !== undefined) copy.type = type;
  if (body instanceof ReadableStream) {
    [response.body, copy.body] = body.tee();
  } else if (typeof body === "string" || body instanceof Uint8Array || isPlain(body)) {
    copy.body = body;
  } else {
    return undefined; // it can be read once
  }
  const made = ownOf(await copy.toDomResponse());
  // What was set in front of the handler is for one caller, and the length of nothing is Oak's own.
  const own = [...made.headers].filter(([name, value]) =>
    !before.some((one) => one[0] === name && one[1] === value) &&
    (name !== "content-length" || made.body !== null || response.headers.has(name))
  );
  return new Response(made.body, { status, headers: own });
}

/** Status and headers of what is to be sent, which can still be changed in front. */
export async function headOf(given: OakContextLike["response"]): Promise<OakResponseLike> {
  const response = given as unknown as OakResponse;
  if (!response.writable) return await response.toDomResponse();
  const { status, headers } = response;
  return { status, headers, body: null, clone: () => ({ body: null }) };
}

/** Puts a response into Oak's, so that middleware in front sees it and may change it. */
export function putInto(given: OakContextLike["response"], { status, headers, body }: Response): void {
  const response = given as unknown as OakResponse;
  if (!response.writable || !response.headers) return given.with(body, { status, headers });
  response.status = status;
  for (const [name, value] of headers) {
    if (name === "content-length" && body !== null) continue; // of what was, before somebody in front changes it
    if (name === "set-cookie") response.headers.append(name, value);
    else response.headers.set(name, value);
  }
  response.body = body;
  if (body !== null || headers.has("content-length")) return;
  atEnd(given, (made) => {
    const own = new Headers(made.headers);
    if (own.get("content-length") === "0") own.delete("content-length"); // Oak says so of whatever has no body
    return new Response(null, { headers: own });
  });
}

function isPlain(body: unknown): boolean {
  if (typeof body !== "object" || body === null) return body === null || body === undefined;
  return Array.isArray(body) || [Object.prototype, null].includes(Object.getPrototypeOf(body));
}

function ownOf(made: OakResponseLike | undefined): Response {
  if (!made) throw new TypeError("Cannot keep the response: wanted one that Oak sends, got none");
  return made instanceof Response
    ? made
    : new Response(made.body as BodyInit | null, { status: made.status, headers: made.headers });
}
