/** Answers a request; `params` are the named parts of its path. */
export type Handler = (
  params: Record<string, string | undefined>,
  request: Request,
  info: Deno.ServeHandlerInfo<Deno.NetAddr>,
) => Response | Promise<Response>;

/** Handlers by method and path, as in `GET /products/:id`. */
export type Routes = Readonly<Record<string, Handler>>;

/** A handler for `Deno.serve` out of handlers by method and path; `missing` answers all else. */
export function router(
  routes: Routes,
  missing: () => Response,
): (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => Response | Promise<Response> {
  const table = Object.entries(routes).map(([route, handler]) => {
    const [method, pathname] = route.split(" ") as [string, string];
    return { method, pattern: new URLPattern({ pathname }), handler };
  });
  return (request, info) => {
    for (const { method, pattern, handler } of table) {
      const match = request.method === method && pattern.exec(request.url);
      if (match) return handler(match.pathname.groups, request, info);
    }
    return missing();
  };
}
