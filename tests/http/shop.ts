import { Application } from "@oakserver/oak";
import { Hono } from "hono";
import type { Larder } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import { cacheResponse, type CacheResponseOptions } from "../../src/http/mod.ts";
import * as oak from "../../src/http/oak.ts";

/** What a handler is asked, in whatever framework: it has no more of the request than this. */
export type Answer = (request: Request) => Response | Promise<Response>;

/** A server of a shop behind the cache, on a real socket. */
export interface Shop extends AsyncDisposable {
  readonly url: string;
}

export type OpenShop = (redis: Larder, options: CacheResponseOptions, answer: Answer) => Shop;

function listen(handler: Deno.ServeHandler<Deno.NetAddr>): Shop {
  const quiet = {
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    onError: () => new Response("broken", { status: 500 }),
  };
  const server = Deno.serve(quiet, handler);
  return { url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** The same shop in each framework, with nothing handed over but the options. */
export const shops: Readonly<Record<string, OpenShop>> = {
  "Deno.serve": (redis, options, answer) => {
    const cached = cacheResponse(redis, options);
    return listen((request) => cached(request, answer));
  },
  "Hono": (redis, options, answer) => {
    const app = new Hono();
    app.use(async (context, next) => {
      context.set("request-id" as never, crypto.randomUUID() as never);
      await next();
    });
    app.use(hono.cacheResponse(redis, options));
    app.all("/shop/:id", (context) => answer(context.req.raw));
    app.all("*", async (context) => await answer(context.req.raw));
    app.onError(() => new Response("broken", { status: 500 }));
    return listen((request, info) => app.fetch(request, info));
  },
  "Oak": (redis, options, answer) => {
    const app = new Application({ logErrors: false });
    app.addEventListener("error", () => {});
    app.use(oak.cacheResponse(redis, options));
    app.use(async ({ request, response }) => {
      const { body, status, headers } = await answer(request.source as unknown as Request);
      response.status = status;
      for (const [name, value] of headers) response.headers.append(name, value);
      if (body) response.body = body;
    });
    return listen(async (request) => {
      const response = await app.handle(request as never) as unknown as Response;
      return new Response(response.body, { status: response.status, headers: [...response.headers] });
    });
  },
};

/** What a visitor is served: the body, the status, and what the cache says of it. */
export async function visit(
  url: string,
  init: RequestInit = {},
): Promise<{ body: string; status: number; cache: string | null; headers: Headers }> {
  const response = await fetch(url, { redirect: "manual", ...init });
  const body = await response.text();
  return { body, status: response.status, cache: response.headers.get("x-cache"), headers: response.headers };
}
