import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { Orders } from "../../examples/orders/orders.ts";
import { site } from "../../examples/orders/site.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

/** A process of the site. */
async function serve(url: string) {
  const redis = await connect({ url, namespace: "orders", commandTimeout: "5s", on: () => {} });
  const leaving = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    site(new Orders(redis), leaving.signal),
  );
  return {
    redis,
    at: `127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await server.shutdown();
      await redis.close();
    },
  };
}

/** A WebSocket, and what it was told. */
class Socket {
  readonly told: Record<string, unknown>[] = [];
  readonly socket: WebSocket;
  readonly closed: Promise<number>;

  constructor(at: string) {
    this.socket = new WebSocket(`ws://${at}/socket`);
    this.socket.onmessage = ({ data }) => void this.told.push(JSON.parse(data));
    this.closed = new Promise((resolve) => this.socket.onclose = ({ code }) => resolve(code));
  }

  async has(count: number): Promise<void> {
    await until(() => this.told.length >= count, `${count} were told, as opposed to ${JSON.stringify(this.told)}`);
  }
}

Deno.test({
  name: "The example of orders: a WebSocket in each of two processes is told what the other orders",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start();
    await using here = await serve(server.url);
    {
      await using there = await serve(server.url);
      const [one, two] = [new Socket(here.at), new Socket(there.at)];
      await Promise.all([one.has(1), two.has(1)]);
      one.socket.send('{"item":"cheese"}');
      await two.has(2);
      two.socket.send('{"item":"bread"}');
      await one.has(3);
      const expected = [{ ready: true }, { order: { id: 1, item: "cheese" } }, { order: { id: 2, item: "bread" } }];
      assertEquals([one.told, two.told], [expected, expected]);
      for (const bad of ["", "{}", '{"item":""}', `{"item":"${"x".repeat(81)}"}`]) two.socket.send(bad);
      await two.has(7);
      assertEquals(two.told.slice(3), Array(4).fill({ refused: true }));
      await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
      await Promise.all([one.has(4), two.has(8)]);
      assertEquals([one.told.at(-1), two.told.at(-1)], [{ gap: true }, { gap: true }]);
      const response = await fetch(`http://${here.at}/orders`, { method: "POST", body: '{"item":"milk"}' });
      assertEquals([response.status, await response.json()], [201, { id: 3, item: "milk" }]);
      await Promise.all([one.has(5), two.has(9)]);
      one.socket.close();
      await one.closed;
      await until(() => here.redis.pubsub.stats().subscriptions === 0, "it ends when the browser goes");
      assertEquals((await fetch(`http://${here.at}/orders`, { method: "POST", body: "x" }).then(drained)).status, 400);
      const foreign = await fetch(`http://${here.at}/socket`, { headers: { origin: "https://elsewhere.example" } });
      assertEquals((await drained(foreign)).status, 403);
      const kept = await (await fetch(`http://${there.at}/orders`)).json() as { item: string }[];
      assertEquals(kept.map(({ item }) => item), ["cheese", "bread", "milk"]);
      await there[Symbol.asyncDispose]();
      assert([1001, 1006].includes(await two.closed)); // the server left
    }
  },
});

async function drained(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}
