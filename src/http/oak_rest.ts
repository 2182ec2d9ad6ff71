import type { OakContextLike } from "./oak_context.ts";
import { atEnd, type OakResponseLike } from "./oak_response.ts";
import { UnsharedResponseError } from "./response_errors.ts";

/** As much of an app as a load needs. */
export interface Application {
  readonly proxy?: boolean;
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
  /** The cache. */
  readonly by: object;
  /** The visitor's request, as Oak knows it, while he waits for the load. */
  readonly visitor: object | undefined;
  /** Whether the app has come as far: what is in front was done for the visitor. */
  reached?: boolean;
  response?: Response | undefined;
  error?: unknown;
}

/**
 * By the request of a load: where what is behind the cache is put, since what is in front comes again for each visitor.
 */
export const taking: WeakMap<Request, Taken> = new WeakMap();

/**
 * Has an app answer the request of a load: with what is behind the cache, if it came as far. What is in front is run
 * for it too, as routers may be in front, but what it makes of the answer it makes for its visitor once more.
 */
export async function answerOf(
  application: Application,
  request: Request,
  cache: object,
  visitor: object | undefined,
): Promise<Response> {
  const taken: Taken = { by: cache, visitor };
  taking.set(request, taken);
  const whole = await application.handle(request).catch((error) => {
    if (!taken.reached) throw error;
  });
  if ("error" in taken) throw taken.error;
  if (taken.response) return taken.response; // of which the whole is what there was to be read
  if (!whole) throw new UnsharedResponseError("Cannot share the response: it is made for one connection");
  return ownOf(whole);
}

/** Runs what is behind a cache for a load, and takes what it makes. */
export async function take(
  context: OakContextLike,
  taken: Taken,
  next: () => Promise<unknown>,
): Promise<void> {
  const { response } = context;
  taken.reached = true;
  const before = [...response.headers ?? []];
  const own = context as unknown as Connected;
  // What takes the connection is for the visitor, who has another context.
  for (const name of ["sendEvents", "upgrade"] as const) {
    own[name] = () => {
      throw new UnsharedResponseError(`Cannot share the response: it is made by ${name}()`);
    };
  }
  try {
    await next();
    if (own.respond === false) throw new UnsharedResponseError("Cannot share the response: the handler sends it");
    taken.response = await takeFrom(response, before);
  } catch (error) {
    // The visitor's app answers it: what catches errors in front does so for him.
    taken.error = error;
  }
}

/** As much of a context as has to do with its connection. */
export interface Connected {
  respond?: boolean;
  sendEvents?: () => unknown;
  upgrade?: () => unknown;
}

/** The response as it is behind the cache. */
async function takeFrom(
  given: OakContextLike["response"],
  before: readonly (readonly [string, string])[],
): Promise<Response> {
  const response = given as unknown as OakResponse;
  const { writable, status, type, body } = response;
  const sized = response.headers?.has("content-length");
  const front = writable ? new Headers([...response.headers]) : undefined;
  const made = ownOf(await response.toDomResponse());
  if (front) {
    // Who is in front goes on with what is his: what he makes of it for a load, nobody is sent. Some bodies can be read
    // once.
    const values = { status, type, headers: front, body: isPlain(body) ? body : null, writable, with: () => {} };
    for (const [name, value] of Object.entries(values)) {
      Object.defineProperty(response, name, { value, writable: true });
    }
  }
  // What was set in front of the handler is for one caller, and the length of nothing is Oak's own.
  const own = [...made.headers].filter(([name, value]) =>
    !before.some((one) => one[0] === name && one[1] === value) &&
    (name !== "content-length" || made.body !== null || sized)
  );
  return new Response(made.body, { status: made.status, headers: own });
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
  if (typeof body === "string" || body instanceof Uint8Array) return true;
  if (typeof body !== "object" || body === null) return body === null || body === undefined;
  return Array.isArray(body) || [Object.prototype, null].includes(Object.getPrototypeOf(body));
}

/** The response as one of the runtime. */
export function ownOf(made: OakResponseLike | undefined): Response {
  if (!made) throw new TypeError("Cannot keep the response: wanted one that Oak sends, got none");
  return made instanceof Response
    ? made
    : new Response(made.body as BodyInit | null, { status: made.status, headers: made.headers });
}
