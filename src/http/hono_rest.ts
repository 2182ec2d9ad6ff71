import type { HonoContextLike } from "./hono_context.ts";

/** The part of Hono's context that makes another one. */
interface Context extends HonoContextLike {
  readonly req: {
    raw: Request;
    readonly path: string;
    routeIndex: number;
    valid?(target: string): unknown;
    addValidatedData?(target: string, data: object): void;
  };
  error?: Error;
  readonly env: unknown;
  readonly var: Record<string, unknown>;
  readonly executionCtx: unknown;
  readonly finalized: boolean;
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  notFound(): Response | Promise<Response>;
  render(...args: unknown[]): Response | Promise<Response>;
  setRenderer(render: (...args: unknown[]) => unknown): void;
  getLayout?(): unknown;
  setLayout?(layout: unknown): void;
  body(body: ReadableStream | null, status: undefined, headers: Record<string, string>): Response;
}

type Handler = (context: Context, next: () => Promise<void>) => unknown;
type Matched = readonly [readonly (readonly [readonly [Handler, ...unknown[]], ...unknown[]])[], ...unknown[]];

/**
 * The handlers behind a middleware of Hono, to be run for another request and with a context of their own: that of the
 * visitor is over when he is answered, and takes one response.
 *
 * @param given The visitor's context.
 * @param self The middleware.
 * @returns Runs them; `undefined` where the middleware was not called by Hono itself, so that it is not known what
 * comes behind.
 */
export function restOf(
  given: HonoContextLike,
  self: unknown,
): ((request: Request, begun: (context: HonoContextLike) => void) => Promise<Response>) | undefined {
  const context = given as Context;
  const matched = matchedOf(context.req);
  const at = context.req.routeIndex ?? 0;
  if (!matched || !isHandler(matched[0][at]?.[0][0], self)) return undefined;
  return async (request, begun) => {
    const own = contextFor(context, request, matched);
    begun(own);
    const failure: Failure = {};
    await dispatch(own, matched[0], at + 1, failure);
    // Who asked has the app's own `onError` make the answer, unless middleware behind made another.
    if (failure.error && failure.error === own.error && own.res.status === failure.status) throw failure.error;
    return own.res;
  };
}

/** What a handler threw. */
interface Failure {
  error?: Error;
  /** The status that middleware behind sees meanwhile. */
  status?: number;
}

async function dispatch(context: Context, handlers: Matched[0], at: number, failure: Failure): Promise<void> {
  const handler = handlers[at]?.[0][0];
  if (!handler) {
    if (!context.finalized) context.res = await context.notFound();
    return;
  }
  context.req.routeIndex = at;
  let called = false;
  try {
    const response = await handler(context, () => {
      if (called) throw new Error("next() called multiple times");
      called = true;
      return dispatch(context, handlers, at + 1, failure);
    });
    if (response && !context.finalized) context.res = response as Response;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // As Hono does: middleware around goes on, and finds the error in its context.
    const { status } = error as { status?: unknown };
    failure.status = Number.isInteger(status) && (status as number) >= 400 && (status as number) < 600
      ? status as number
      : 500;
    context.error = failure.error = error;
    context.res = undefined as unknown as Response;
    context.res = new Response(null, { status: failure.status });
  }
}

/** What validators in front may have checked that is the same for all. */
const CHECKED = ["query", "param", "json", "form"];

/** Whether validators in front have put what only this visitor sends into his context: headers or cookies. */
export function hasCheckedVisitor({ req }: HonoContextLike): boolean {
  const valid = (req as Context["req"]).valid?.bind(req);
  return valid !== undefined && (valid("header") ?? valid("cookie")) !== undefined;
}

/**
 * A context like the visitor's, for another request: what middleware in front has set is there, what it knows of the
 * request is not.
 */
function contextFor(given: Context, request: Request, matchResult: Matched): Context {
  const Constructor = given.constructor as new (request: Request, options: object) => Context;
  let executionCtx: unknown;
  try {
    executionCtx = given.executionCtx;
  } catch {
    // There is none.
  }
  const { env, req: { path } } = given;
  const own = new Constructor(request, {
    path,
    env,
    executionCtx,
    matchResult,
    notFoundHandler: () => given.notFound(),
  });
  for (const [name, value] of Object.entries(given.var)) own.set(name, value);
  for (const target of CHECKED) {
    const data = given.req.valid?.(target);
    if (data !== undefined) own.req.addValidatedData?.(target, data as object);
  }
  if (given.getLayout && own.setLayout) own.setLayout(given.getLayout());
  // The renderer belongs to the context that it was set on; status and headers are those of this one.
  own.setRenderer(async (...args) => {
    const { body, headers } = await given.render(...args);
    return own.body(body, undefined, { "content-type": headers.get("content-type") ?? "text/html" });
  });
  return own;
}

function isHandler(handler: unknown, self: unknown): boolean {
  for (let one = handler; one; one = (one as { __COMPOSED_HANDLER?: unknown }).__COMPOSED_HANDLER) {
    if (one === self) return true;
  }
  return false;
}

/** What Hono's router found for a request: it keeps that under a symbol of its own. */
function matchedOf(request: object): Matched | undefined {
  const symbols = Object.getOwnPropertySymbols(Object.getPrototypeOf(request));
  for (const symbol of symbols) {
    const value = (request as Record<symbol, unknown>)[symbol];
    if (Array.isArray(value) && Array.isArray(value[0])) return value as unknown as Matched;
  }
}
