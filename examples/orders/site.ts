import { sse } from "@larder/larder/http";
import { Order, type Orders } from "./orders.ts";
import { PAGE } from "./page.ts";
import { relay } from "./relay.ts";

/** What the site answers. The signal ends the connections that do not end by themselves. */
export function site(orders: Orders, signal: AbortSignal): (request: Request) => Promise<Response> | Response {
  return async (request) => {
    const { pathname } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "GET /":
        return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } });
      case "GET /events":
        return await sse(request, orders.channel, { signal });
      case "GET /socket":
        return relay(request, orders, signal);
      case "GET /orders":
        return Response.json(await orders.latest());
      case "POST /orders": {
        const given = Order.safeParse(await request.json().catch(() => undefined));
        if (!given.success) return Response.json({ title: "An order has an item" }, { status: 400 });
        return Response.json(await orders.place(given.data), { status: 201 });
      }
      default:
        return new Response("Not found", { status: 404 });
    }
  };
}
