import { around } from "./around.mjs";
import { listen } from "./listen.mjs";

/** Handlers of a site, as files of routes are: they find their session where the middleware has put it. */
function routes(page) {
  return async ({ pathname }, session) => {
    if (pathname === "/login") return new Response((await session.regenerate({ userId: "ada" })).userId);
    if (pathname === "/me") return new Response((await session.get())?.userId ?? "nobody");
    return new Response(await page());
  };
}

/** Fresh 2: `App.handler()` is `(request, info) => Response`, middleware is `(ctx) => ctx.next()`. */
export async function fresh(redis, page) {
  const route = routes(page);
  const sessions = new WeakMap();
  const middleware = (ctx) => {
    ctx.state.session = sessions.get(ctx.req);
    return ctx.next();
  };
  const handler = (req) => {
    const ctx = { req, state: {}, url: new URL(req.url), next: () => route(ctx.url, ctx.state.session) };
    return Promise.resolve(middleware(ctx));
  };
  return await listen(around(redis, handler, sessions));
}

/** SvelteKit: a server by `Request`, as of the adapters for Deno, Bun and workers; `handle({ event, resolve })`. */
export async function sveltekit(redis, page) {
  const route = routes(page);
  const sessions = new WeakMap();
  const handle = ({ event, resolve }) => {
    event.locals.session = sessions.get(event.request);
    return resolve(event);
  };
  const respond = (request) => {
    const event = { request, locals: {}, url: new URL(request.url) };
    return handle({ event, resolve: ({ url, locals }) => route(url, locals.session) });
  };
  return await listen(around(redis, respond, sessions));
}

/** Astro: `handle(request)` of the adapter for Deno, `onRequest(context, next)`. */
export async function astro(redis, page) {
  const route = routes(page);
  const sessions = new WeakMap();
  const onRequest = (context, next) => {
    context.locals.session = sessions.get(context.request);
    return next();
  };
  const render = (request) => {
    const context = { request, locals: {}, url: new URL(request.url) };
    return onRequest(context, () => route(context.url, context.locals.session));
  };
  return await listen(around(redis, render, sessions));
}
