import { Order, type Orders } from "./orders.ts";

/** How many bytes may wait for a browser that is slow; then it has to connect again. */
const MOST_WAITING = 1_048_576;
/** "Try again later", https://www.iana.org/assignments/websocket */
const TRY_AGAIN = 1013;

/**
 * Orders over a WebSocket, both ways: it is told of all, as `{"order":…}`, or `{"gap":true}` where some may be missing,
 * and what it sends, as `{"item":"…"}`, is placed.
 */
export function relay(request: Request, orders: Orders, signal: AbortSignal): Response {
  // Browsers open sockets to any site with the cookies of their users: none but our own pages may.
  const origin = request.headers.get("origin");
  if (origin !== null && new URL(origin).host !== request.headers.get("host")) {
    return new Response("Another site's page", { status: 403 });
  }
  const { socket, response } = Deno.upgradeWebSocket(request);
  const gone = new AbortController();
  const send = (what: object) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > MOST_WAITING) return socket.close(TRY_AGAIN, "too slow");
    socket.send(JSON.stringify(what));
  };
  socket.onopen = async () => {
    const messages = orders.channel.subscribe({ signal: AbortSignal.any([gone.signal, signal]), buffer: 1000 });
    await messages.ready;
    send({ ready: true });
    for await (const { value, gap } of messages) {
      if (gap) send({ gap });
      else if (value) send({ order: value });
    }
    if (socket.readyState === WebSocket.OPEN) socket.close(1001, "the server leaves");
  };
  socket.onmessage = async ({ data }) => {
    try {
      await orders.place(Order.parse(JSON.parse(String(data))));
    } catch {
      send({ refused: true });
    }
  };
  socket.onclose = () => gone.abort();
  socket.onerror = () => gone.abort();
  return response;
}
