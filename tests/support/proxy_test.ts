import { assert, assertEquals, assertGreaterOrEqual, assertRejects } from "@std/assert";
import { TcpProxy } from "./proxy.ts";

/** A server on loopback that sends back what it gets. */
class Echo implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #done: Promise<void>;
  readonly #open: Promise<void>[] = [];

  constructor() {
    this.#done = this.#run();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #run(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#open.push(connection.readable.pipeTo(connection.writable).catch(() => {}));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#done;
    await Promise.all(this.#open);
  }
}

class Client implements Disposable {
  readonly #connection: Deno.Conn;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async open({ port }: { port: number }): Promise<Client> {
    return new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(text: string): Promise<void> {
    await this.#connection.write(new TextEncoder().encode(text));
  }

  async receive(): Promise<string | null> {
    const buffer = new Uint8Array(1024);
    const size = await this.#connection.read(buffer);
    return size === null ? null : new TextDecoder().decode(buffer.subarray(0, size));
  }

  async echo(text: string): Promise<string | null> {
    await this.send(text);
    return await this.receive();
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

Deno.test("TcpProxy passes on what it gets in both directions", async () => {
  await using server = new Echo();
  await using proxy = TcpProxy.start(server);
  using one = await Client.open(proxy);
  using two = await Client.open(proxy);
  assertEquals([await one.echo("one"), await two.echo("two")], ["one", "two"]);
  assertEquals([proxy.connections, proxy.accepted], [2, 2]);
});

Deno.test("TcpProxy.delay holds each direction and keeps the order", async () => {
  await using server = new Echo();
  await using proxy = TcpProxy.start(server);
  using client = await Client.open(proxy);
  await client.echo("warm");
  proxy.delay = 30;
  const start = performance.now();
  await client.send("a");
  proxy.delay = 0;
  await client.send("b");
  let received = "";
  while (received.length < 2) received += await client.receive();
  assertEquals(received, "ab");
  proxy.delay = 30;
  await client.echo("c");
  assertGreaterOrEqual(performance.now() - start, 60);
});

Deno.test("TcpProxy.freeze() drops what arrives, also on new connections, until thaw()", async () => {
  await using server = new Echo();
  await using proxy = TcpProxy.start(server);
  using client = await Client.open(proxy);
  await client.echo("before");
  proxy.freeze();
  using late = await Client.open(proxy);
  await Promise.all([client.send("lost"), late.send("lost")]);
  // The proxy answers nothing, so what was sent has to be seen to arrive there before it is thawed.
  using other = await Client.open(server);
  for (let i = 0; i < 20; i++) await other.echo("turn");
  proxy.thaw();
  assertEquals([await client.echo("after"), await late.echo("after")], ["after", "after"]);
});

Deno.test("TcpProxy.cut() closes all connections and accepts new ones", async () => {
  await using server = new Echo();
  await using proxy = TcpProxy.start(server);
  using client = await Client.open(proxy);
  await client.echo("before");
  proxy.cut();
  assertEquals(await client.receive().catch(() => null), null);
  assertEquals(proxy.connections, 0);
  using again = await Client.open(proxy);
  assertEquals(await again.echo("after"), "after");
});

Deno.test("TcpProxy.cut() does not wait for what is delayed, and disposal closes the port", async () => {
  await using server = new Echo();
  let port: number;
  const start = performance.now();
  {
    await using proxy = TcpProxy.start(server);
    port = proxy.port;
    using client = await Client.open(proxy);
    proxy.delay = 60_000;
    await client.send("never");
    proxy.cut();
    await client.receive().catch(() => null);
    using last = await Client.open(proxy);
    await last.send("never");
  }
  assert(performance.now() - start < 10_000);
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }), Deno.errors.ConnectionRefused);
});

Deno.test("TcpProxy closes a connection when its server cannot be reached", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using proxy = TcpProxy.start({ port: listener.addr.port });
  listener.close();
  using client = await Client.open(proxy);
  assertEquals(await client.receive().catch(() => null), null);
});
