import type { HonoContextLike } from "./hono.ts";

/** The part of Hono's context that makes another one. */
interface Context extends HonoContextLike {
  readonly req: { readonly raw: Request; readonly path: string; routeIndex: number };
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
 * The handlers behind a middleware of Hono, to be run for another request and with a context of their own: that of the visitor is over
 * when he is answered, and takes one response.
 *
 * @param given The visitor's context.
 * @param self The middleware.
 * @returns Runs them; `undefined` where the middleware was not called by Hono itself, so that it is not known what comes behind.
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
    await dispatch(own, matched[0], at + 1);
    return own.res;
  };
}

async function dispatch(context: Context, handlers: Matched[0], at: number): Promise<void> {
  const handler = handlers[at]?.[0][0];
  if (!handler) {
    if (!context.finalized) context.res = await context.notFound();
    return;
  }
  context.req.routeIndex = at;
  let called = false;
  const response = await handler(context, () => {
    if (called) throw new Error("next() called multiple times");
    called = true;
    return dispatch(context, handlers, at + 1);
  });
  if (response && !context.finalized) context.res = response as Response;
}

/** A context like the visitor's, for another request: what middleware in front has set is there, what it knows of the request is not. */
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
