import { z } from "zod";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "../../mod.ts";
import { sse, type SseOptions } from "../../src/http/mod.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

interface Order {
  id: number;
  note?: string;
}

/** What comes on a connection, as text. */
class Reader {
  text = "";
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly over: Promise<void>;

  constructor(response: Response) {
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    this.over = this.#run();
  }

  async #run(): Promise<void> {
    for (let read = await this.#reader.read(); !read.done; read = await this.#reader.read()) this.text += read.value;
  }
}

for (const store of ["memory", "redis"]) {
  Deno.test(`sse() sends the messages of a channel to whoever is connected: ${store}`, async () => {
    await using server = store === "redis" ? await RedisServer.start() : undefined;
    await using redis = await connect({ url: server?.url ?? "memory:", commandTimeout: "5s", on: () => {} });
    const orders = redis.pubsub.channel<Order>("orders");
    let options: SseOptions<Order> = {};
    const service = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      (request) => sse(request, orders, options),
    );
    const url = `http://127.0.0.1:${service.addr.port}/`;
    const controllers = [1, 2].map(() => new AbortController());
    const responses = await Promise.all(controllers.map(({ signal }) => fetch(url, { signal })));
    assertEquals(responses[0]!.headers.get("content-type"), "text/event-stream");
    assertEquals(redis.pubsub.stats().subscriptions, 2);
    const readers = responses.map((response) => new Reader(response));
    for (const reader of readers) reader.over.catch(() => {});
    await orders.publish({ id: 7 });
    await orders.publish({ id: 8, note: "two\nlines" });
    const wanted = 'id: 1\ndata: {"id":7}\n\nid: 2\ndata: {"id":8,"note":"two\\nlines"}\n\n';
    await until(() => readers.every(({ text }) => text === wanted), "both have seen both");
    for (const controller of controllers) controller.abort();
    await until(() => redis.pubsub.stats().subscriptions === 0, "who has gone is not subscribed any more");

    options = {
      event: ({ id, note }) => note === undefined ? undefined : { event: "order\nnew", data: `${id}\r\n${note}` },
    };
    const again = await fetch(url, { headers: { "last-event-id": "2" } });
    const reader = new Reader(again);
    await orders.publish({ id: 9 });
    await orders.publish({ id: 10, note: "x" });
    const told = "id: 1\nevent: gap\ndata: \n\nid: 2\nevent: order new\ndata: 10\ndata: x\n\n";
    await until(() => reader.text === told, "a gap, and the message that is told");
    await redis.close();
    await reader.over; // the end of Larder is the end of the connection
    await service.shutdown();
  });
}

Deno.test("sse() shows that the connection is alive, and tells of a loss of touch", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, commandTimeout: "5s", on: () => {} });
  const orders = redis.pubsub.channel<Order>("orders");
  const response = await sse(new Request("http://localhost/"), orders, { heartbeat: "1s" });
  const reader = new Reader(response);
  await until(() => reader.text.startsWith(": \n\n"), "it is alive");
  await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
  await until(() => reader.text.includes("event: gap\ndata: \n\n"), "the gap is told");
  const other = redis.pubsub.channel<Order>("other");
  await server.pause();
  const late = new Reader(await sse(new Request("http://localhost/"), other));
  assertEquals(late.text, "");
  await server.resume();
  await until(() => late.text === "id: 1\nevent: gap\ndata: \n\n", "the begin is told");
  await redis.close();
  await reader.over;
});

Deno.test("sse() tells of a gap where a message cannot be told, and goes on", async () => {
  const refused: string[] = [];
  await using redis = await connect({
    url: "memory:",
    on: (event) => void (event.type === "channel.refused" && refused.push(...event.issues)),
  });
  const channel = redis.pubsub.channel<unknown>("x");
  const controller = new AbortController();
  const request = () => new Request("http://localhost/", { signal: controller.signal });
  const odd = (value: unknown) => {
    if (value === 1n) throw new Error("no such order");
    return (value === undefined ? { event: "x" } : value === null ? Promise.resolve() : { data: "told" }) as never;
  };
  const plain = new Reader(await sse(request(), channel));
  const own = new Reader(await sse(request(), channel, { event: odd }));
  for (const value of [undefined, 1n, null, "last"]) await channel.publish(value);
  const gap = (id: number) => `id: ${id}\nevent: gap\ndata: \n\n`;
  await until(() => own.text === `${gap(1)}${gap(2)}${gap(3)}id: 4\ndata: told\n\n`, "the last is told");
  await until(() => plain.text === `${gap(1)}${gap(2)}id: 3\ndata: null\n\nid: 4\ndata: "last"\n\n`, "here too");
  assertEquals([refused.length, redis.pubsub.stats().refused], [5, 5]);
  assert(refused.every((issue) => issue.startsWith("It cannot be told as an event: ")), refused.join());
  controller.abort();
  await Promise.all([plain.over, own.over]);
});

Deno.test("sse() tells of a gap where the schema refuses a message", async () => {
  await using redis = await connect({ url: "memory:", on: () => {} });
  const schema = z.object({ id: z.number() });
  const channel = redis.pubsub.channel("x", { schema });
  const controller = new AbortController();
  const reader = new Reader(await sse(new Request("http://localhost/", { signal: controller.signal }), channel));
  await redis.pubsub.channel<unknown>("x").publish({ id: "seven" });
  await channel.publish({ id: 7 });
  await until(() => reader.text.includes('{"id":7}'), "the next is told");
  assertEquals(reader.text, 'id: 1\nevent: gap\ndata: \n\nid: 2\ndata: {"id":7}\n\n');
  controller.abort();
  await reader.over;
});

Deno.test("sse() ends by a signal, so that a server with open connections shuts down", async () => {
  await using redis = await connect({ url: "memory:" });
  const channel = redis.pubsub.channel<Order>("x");
  const leaving = new AbortController();
  const service = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => sse(request, channel, { signal: leaving.signal }),
  );
  const reader = new Reader(await fetch(`http://127.0.0.1:${service.addr.port}/`));
  await channel.publish({ id: 1 });
  await until(() => reader.text !== "", "it is connected");
  const down = service.shutdown();
  leaving.abort();
  await Promise.all([reader.over, down]);
  assertEquals(redis.pubsub.stats().subscriptions, 0);
});

Deno.test("sse() refuses what cannot be meant", async () => {
  await using redis = await connect({ url: "memory:" });
  const channel = redis.pubsub.channel<Order>("x");
  const request = new Request("http://localhost/");
  const bad: (() => Promise<unknown>)[] = [
    () => sse({} as never, channel),
    () => sse(request, redis as never),
    () => sse(request, channel, { heartbeat: 0 }),
    () => sse(request, channel, { heartbeat: "2h" }),
    () => sse(request, channel, { buffer: 0 }),
    () => sse(request, channel, { event: "x" as never }),
    () => sse(request, channel, { evnt: 1 } as never),
    () => sse(request, channel, { signal: {} as never }),
    () => sse(request, channel, null as never),
  ];
  for (const call of bad) {
    const error = await assertRejects(call, Error);
    assert(error instanceof TypeError || error instanceof RangeError, String(error));
    assertMatch(error.message, /wanted|must be/);
    assertStringIncludes(error.message, "Cannot");
  }
  assertEquals(redis.pubsub.stats().subscriptions, 0);
});
