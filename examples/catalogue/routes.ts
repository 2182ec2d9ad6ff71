import type { Larder } from "@larder/larder";
import type { Origin } from "./origin.ts";
import { problem } from "./problem.ts";
import type { Routes } from "../service/router.ts";
import type { Catalogue } from "./service.ts";

/** What the routes show. */
export interface CatalogueScene {
  catalogue: Catalogue;
  origin: Origin;
  redis: Pick<Larder, "cache" | "store">;
}

/** The catalogue over HTTP. */
export function catalogueRoutes({ catalogue, origin, redis }: CatalogueScene): Routes {
  return {
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
  };
}

async function found(value: Promise<unknown>): Promise<Response> {
  const body = await value;
  return body === null ? problem(404, "Not in the catalogue") : Response.json(body);
}

function priceIn(body: unknown): number | undefined {
  const price = (body as { price?: unknown } | null | undefined)?.price;
  return typeof price === "number" && price > 0 && Number.isFinite(price) ? price : undefined;
}
