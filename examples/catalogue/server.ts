import { connect } from "@larder/larder";
import { Origin } from "./origin.ts";
import { allProducts } from "./product.ts";
import { Report } from "./report.ts";
import { Catalogue } from "./service.ts";

const DEFAULT_PORT = 8000;

/** Serves the catalogue on loopback until it is interrupted. */
export async function serve(): Promise<void> {
  const report = new Report();
  await using origin = new Origin(allProducts());
  await using redis = await connect({
    namespace: "larder-catalogue",
    on(event) {
      if (event.type === "cache.load_error" || event.type === "cache.error") report.note(String(event.error));
      if (event.type === "redis.circuit") report.note(`Redis: the circuit is ${event.state}`);
    },
  });
  const catalogue = new Catalogue({ cache: redis.cache, origin: origin.url });
  const app = router({
    "GET /products/:id(\\d+)": ({ id }) => found(catalogue.product(Number(id))),
    "GET /products/:id(\\d+)/stock": ({ id }) => found(catalogue.stock(Number(id))),
    "GET /categories/:name([a-z-]+)": ({ name }) => found(catalogue.category(name!)),
    "POST /products/:id(\\d+)": async ({ id }, request) => {
      const price = priceIn(await request.json().catch(() => undefined));
      return price === undefined
        ? problem(400, 'Wanted a body such as { "price": 9.5 }')
        : await found(catalogue.setPrice(Number(id), price));
    },
    "GET /stats": () => Response.json({ store: redis.store, originCalls: origin.calls, cache: redis.cache.stats() }),
  });

  const server = listen(app);
  report.title(`http://127.0.0.1:${server.addr.port}`, redis.store === "redis" ? "on Redis" : "on the embedded store");
  report.note("GET /products/101 · GET /products/101/stock · GET /categories/cheese · GET /stats");
  report.note(`POST /products/101 with { "price": 9.5 }`);

  // Requests that are being answered are answered to the end; then what `using` holds is closed.
  const stop = () => void server.shutdown();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
  await server.finished;
  for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
}

const SIGNALS: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

type Handler = (params: Record<string, string | undefined>, request: Request) => Response | Promise<Response>;

/** A handler for `Deno.serve` out of handlers by method and path. */
function router(routes: Record<string, Handler>): (request: Request) => Response | Promise<Response> {
  const table = Object.entries(routes).map(([route, handler]) => {
    const [method, pathname] = route.split(" ") as [string, string];
    return { method, pattern: new URLPattern({ pathname }), handler };
  });
  return (request) => {
    for (const { method, pattern, handler } of table) {
      const match = request.method === method && pattern.exec(request.url);
      if (match) return handler(match.pathname.groups, request);
    }
    return problem(404, "No such address");
  };
}

async function found(value: Promise<unknown>): Promise<Response> {
  const body = await value;
  return body === null ? problem(404, "Not in the catalogue") : Response.json(body);
}

function problem(status: number, detail: string): Response {
  return Response.json({ status, detail }, { status });
}

function onError(error: unknown): Response {
  return problem(502, error instanceof Error ? error.message : "Something failed");
}

function priceIn(body: unknown): number | undefined {
  const price = (body as { price?: unknown } | null | undefined)?.price;
  return typeof price === "number" && price > 0 && Number.isFinite(price) ? price : undefined;
}

function listen(handler: Deno.ServeHandler): Deno.HttpServer<Deno.NetAddr> {
  const port = wantedPort();
  try {
    return Deno.serve({ hostname: "127.0.0.1", port, onListen() {}, onError }, handler);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
    throw new Error(`Cannot listen on 127.0.0.1:${port}: it is in use, wanted a free PORT`, { cause });
  }
}

function wantedPort(): number {
  const text = Deno.env.get("PORT") || String(DEFAULT_PORT);
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new RangeError(`Cannot use PORT: wanted a port from 0 to 65535, got ${JSON.stringify(text)}`);
}
