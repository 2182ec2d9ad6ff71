import { assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../mod.ts";
import { sse, type SseOptions } from "../../src/http/mod.ts";
import { onBothStores } from "../sessions/served.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

interface Order {
  id: number;
}

/** A page, as `EventSource` sees it. */
class Page {
  text = "";
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #over: Promise<void>;

  private constructor(response: Response) {
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    this.#over = this.#run();
  }

  static async open(
    source: Parameters<typeof sse<Order>>[1],
    lastEventId?: string,
    options: SseOptions<Order> = {},
  ): Promise<Page> {
    const headers: HeadersInit = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
    return new Page(await sse(new Request("http://localhost/", { headers }), source, options));
  }

  async #run(): Promise<void> {
    for (let read = await this.#reader.read(); !read.done; read = await this.#reader.read()) this.text += read.value;
  }

  /** The events: their ids, types and data. */
  get events(): { id?: string; event?: string; data?: string }[] {
    return this.text.split("\n\n").filter((block) => block && !block.startsWith(":")).map((block) =>
      Object.fromEntries(block.split("\n").map((line) => line.split(": ", 2) as [string, string]))
    );
  }

  get told(): (number | string)[] {
    return this.events.filter(({ data }) => data !== undefined)
      .map(({ event, data }) => event ?? (JSON.parse(data!) as Order).id);
  }

  async has(...told: (number | string)[]): Promise<void> {
    await until(() => this.told.length >= told.length, `it was told ${told}, as opposed to ${this.told}`);
    assertEquals(this.told, told);
  }

  /** Goes, and says what it has seen last. */
  async leave(): Promise<string | undefined> {
    await this.#reader.cancel();
    await this.#over;
    return this.events.findLast(({ id }) => id !== undefined)?.id;
  }
}

onBothStores("sse() of a stream goes on where the browser was, and tells what is not kept any more", async (open) => {
  await using redis = await open({});
  const orders = redis.streams.stream<Order>("orders");
  await orders.add({ id: 1 });
  const page = await Page.open(orders);
  for (const id of [2, 3]) await orders.add({ id });
  await page.has(2, 3);
  const seen = await page.leave();
  for (const id of [4, 5]) await orders.add({ id });
  const again = await Page.open(orders, seen);
  await again.has(4, 5);
  await orders.add({ id: 6 });
  await again.has(4, 5, 6);
  const last = await again.leave();
  // Nothing came since.
  const idle = await Page.open(orders, last);
  await orders.add({ id: 7 });
  await idle.has(7);
  await idle.leave();
  // What it has not seen was trimmed.
  await orders.trim({ maxLength: 1 });
  const late = await Page.open(orders, seen);
  await late.has("gap", 7);
  await late.leave();
  // What is no id of the stream, or one of the future: it was made anew.
  for (const id of ["7", "x", "", "99999999999999-0", "-", "1-1; DROP"]) {
    const wrong = await Page.open(orders, id);
    await orders.add({ id: 8 });
    await wrong.has("gap", 8);
    await wrong.leave();
  }
});

onBothStores(
  "sse() of a stream leaves messages out without losing its place, and tells those it cannot",
  async (open) => {
    await using redis = await open({});
    const orders = redis.streams.stream<Order>("orders");
    const event: SseOptions<Order>["event"] = ({ id }, item) => {
      if (id === 2) return undefined;
      if (id === 3) throw new Error("it cannot be told");
      return { data: JSON.stringify({ id, of: item.id }) };
    };
    const page = await Page.open(orders, undefined, { event });
    for (const id of [1, 2, 3, 4, 2]) await orders.add({ id });
    await until(() => page.events.length >= 5, "all were told");
    assertEquals(page.told, [1, "gap", 4]);
    const [first] = page.events;
    assertEquals(JSON.parse(first!.data!), { id: 1, of: first!.id });
    const again = await Page.open(orders, await page.leave());
    await orders.add({ id: 5 });
    await again.has(5);
    await again.leave();
  },
);

Deno.test({
  name: "sse() of a stream loses nothing while Redis is away",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    await using there = await connect({ url: server.url, commandTimeout: "5s", on: () => {} });
    await using redis = await connect({ url: proxy.url, commandTimeout: "500ms", on: () => {} });
    const orders = redis.streams.stream<Order>("orders");
    const added = there.streams.stream<Order>("orders");
    const page = await Page.open(orders, undefined, { heartbeat: "1s" });
    await added.add({ id: 1 });
    await page.has(1);
    proxy.freeze();
    await added.add({ id: 2 });
    await until(() => page.text.includes(": \n\n"), "it shows that it is alive");
    const late = await Page.open(orders);
    const again = await Page.open(orders, page.events[0]!.id);
    proxy.thaw();
    proxy.cut();
    await added.add({ id: 3 });
    await page.has(1, 2, 3);
    await again.has(2, 3);
    await until(() => late.told[0] === "gap", "it may have missed some");
    await Promise.all([page, late, again].map((one) => one.leave()));
  },
});

Deno.test("sse() of a stream ends by its signal, and refuses a buffer", async () => {
  await using redis = await connect({ url: "memory:" });
  const orders = redis.streams.stream<Order>("orders");
  const leaving = new AbortController();
  const response = await sse(new Request("http://localhost/"), orders, { signal: leaving.signal });
  const text = response.text();
  leaving.abort();
  assertEquals(await text, "");
  await assertRejects(
    () => sse(new Request("http://localhost/"), orders, { buffer: 7 }),
    TypeError,
    'wanted "buffer" for a channel alone',
  );
});
