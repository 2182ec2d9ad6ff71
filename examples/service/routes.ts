import type { Larder } from "@larder/larder";
import { healthHandler } from "@larder/larder/http";
import { Account, failed } from "./account.ts";
import { Catalogue } from "./catalogue.ts";
import { problem } from "./problem.ts";
import { router } from "./router.ts";

/** What the service needs. */
export interface ServiceOptions {
  /** What `connect()` gave. */
  redis: Larder;
  /** The name of this task, shown to whoever wants to know who answered. */
  task: string;
  /** Whether the task is about to stop. */
  draining: () => boolean;
}

/** The service as a handler for `Deno.serve`. */
export function service({ redis, task, draining }: ServiceOptions): Deno.ServeHandler<Deno.NetAddr> {
  const catalogue = new Catalogue(redis.cache, task);
  const account = new Account(redis);
  const health = healthHandler(redis);

  const routes = router({
    "GET /health": (_, request, info) =>
      draining() && new URL(request.url).searchParams.has("ready")
        ? Response.json({ status: "draining" }, { status: 503 })
        : health(request, info),
    "GET /products/:id(\\d+)": async ({ id }) => {
      const product = await catalogue.product(Number(id));
      return product ? Response.json(product) : problem(404, "There is no such product");
    },
    "POST /products/reload": async () => Response.json({ reload: await catalogue.reload() }),
    "POST /login": (_, request, info) => account.logIn(request, info),
    "GET /whoami": (_, request) => account.whoAmI(request),
    "POST /logout": (_, request) => account.logOut(request),
  }, () => problem(404, "There is no such address"));

  return async (request, info) => {
    let response: Response;
    try {
      response = await routes(request, info);
    } catch (error) {
      response = failed(error);
    }
    const headers = new Headers(response.headers);
    headers.set("x-task", task);
    // Whoever keeps a connection open opens the next one elsewhere.
    if (draining()) headers.set("connection", "close");
    return new Response(response.body, { status: response.status, headers });
  };
}
