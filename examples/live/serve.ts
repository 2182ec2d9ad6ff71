import { connect, type EventListener, type LarderEvent } from "@larder/larder";
import { Origin } from "../catalogue/origin.ts";
import { PICTURES } from "../catalogue/pictures.ts";
import { allProducts } from "../catalogue/product.ts";
import { Report } from "../catalogue/report.ts";
import { problem } from "../catalogue/problem.ts";
import { router } from "../service/router.ts";
import { catalogueRoutes } from "../catalogue/routes.ts";
import { Catalogue } from "../catalogue/service.ts";
import type { Login } from "./accounts.ts";
import { fromElsewhere } from "./elsewhere.ts";
import { Live } from "./live.ts";
import { listen } from "./listen.ts";

/** Serves the catalogue and the page in front of it on loopback until it is interrupted. */
export async function serve(): Promise<void> {
  const report = new Report();
  const products = allProducts();
  await using origin = new Origin(products);
  const listeners: EventListener[] = [(event) => tell(report, event)];
  await using redis = await connect<{ session: Login }>({
    namespace: "larder-catalogue",
    // Browsers send cookies to every port of a host, so that each service needs a name of its own.
    sessions: { ttl: "1h", absoluteTtl: "12h", maxPerUser: 10, cookie: { name: "larder-live", insecure: true } },
    // The machine that shows this page has a browser to run, too.
    rateLimit: { timeout: "500ms" },
    images: { root: PICTURES },
    on: (event) => listeners.forEach((listener) => listener(event)),
  });
  const catalogue = new Catalogue({ cache: redis.cache, origin: origin.url });
  const live = new Live({ redis, catalogue, origin, products });
  listeners.push((event) => live.see(event));
  const routes = router(
    { ...await live.routes(), ...catalogueRoutes({ catalogue, origin, redis }) },
    () => problem(404, "No such address"),
  );

  const server = listen((request, info) => fromElsewhere(request) ?? routes(request, info), onError);
  report.title(`http://127.0.0.1:${server.port}`, redis.store === "redis" ? "on Redis" : "on the embedded store");
  report.note("GET / shows what happens inside · GET /products/101 · GET /products/101/stock");
  report.note(`GET /categories/cheese · GET /stats · POST /products/101 with { "price": 9.5 }`);

  // Who watches is told goodbye, other requests are answered to the end; then what `using` holds is closed.
  await server.stopped(() => live.close());
}

/** Prints what whoever started it should know. */
function tell(report: Report, event: LarderEvent): void {
  if (event.type === "cache.load_error") report.note(String(event.error));
  if (event.type === "redis.circuit") report.note(`Redis: the circuit is ${event.state}`);
  if (event.type === "warning") report.note(event.message);
}

function onError(error: unknown): Response {
  return problem(502, error instanceof Error ? error.message : "Something failed");
}
