// deno-lint-ignore-file no-console -- what is written there is looked at
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Hono } from "hono";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, type LarderEvent } from "../../mod.ts";
import { remoteAddress } from "../../src/web/connection.ts";
import * as hono from "../../src/http/hono.ts";
import { closeNodeServer } from "../support/node_server.ts";

const request = new Request("http://localhost/");

/** Takes what is written to the console by `warn` for as long as it is there. */
class Warnings implements Disposable {
  readonly lines: string[] = [];
  readonly #warn = console.warn;

  constructor() {
    console.warn = (line: string) => this.lines.push(line);
  }

  [Symbol.dispose](): void {
    console.warn = this.#warn;
  }
}

Deno.test("remoteAddress() reads what each runtime tells", () => {
  const bun = { requestIP: (asked: Request) => asked === request ? { address: "192.0.2.4", port: 1 } : null };
  const broken = {
    requestIP: () => {
      throw new TypeError("not a request of this server");
    },
  };
  const cases: [unknown, string | undefined][] = [
    [{ remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 1 } }, "192.0.2.1"],
    [{ socket: { remoteAddress: "192.0.2.2" } }, "192.0.2.2"],
    [{ incoming: { socket: { remoteAddress: "192.0.2.3" } }, outgoing: {} }, "192.0.2.3"],
    [bun, "192.0.2.4"],
    [{ server: bun, KEY: "value" }, "192.0.2.4"],
    [Object.assign(() => {}, bun), "192.0.2.4"],
    // Nothing is told:
    [undefined, undefined],
    [null, undefined],
    ["192.0.2.1", undefined],
    [{}, undefined],
    [{ remoteAddr: { transport: "unix", path: "/run/app.sock" } }, undefined],
    [{ remoteAddr: null, socket: null, incoming: null, server: null }, undefined],
    [{ socket: { remoteAddress: undefined } }, undefined],
    [{ incoming: "x", server: "prod", remoteAddr: "x", socket: 1, requestIP: "y" }, undefined],
    [{ remoteAddr: { hostname: "" }, server: { requestIP: () => null } }, undefined],
    [{ remoteAddr: { hostname: 5 } }, undefined],
    [broken, undefined],
    [{ server: broken }, undefined],
  ];
  for (const [info, address] of cases) assertEquals(remoteAddress(request, info), address, JSON.stringify(info));
  assertEquals(remoteAddress(request.clone(), bun), undefined);
});

Deno.test("RateLimiter.guard() knows who asks by an IncomingMessage of node:http", async () => {
  using warnings = new Warnings();
  await using redis = await connect({ url: "memory:" });
  const guarded = redis.rateLimit.guard({ "*": { limits: "API", by: "ip" } }, (_, info: IncomingMessage) => {
    return new Response(redis.rateLimit.address(request, info));
  });
  const server = createServer(async (incoming, outgoing) => {
    const response = await guarded(new Request(`http://localhost${incoming.url}`), incoming);
    outgoing.end(await response.text());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "127.0.0.1");
    assertEquals((await redis.rateLimit.peek("API", "127.0.0.1")).remaining, 999);
  } finally {
    await closeNodeServer(server);
  }
  assertEquals(warnings.lines, []);
});

Deno.test("Hono on Deno tells who asks, to limits, sessions and health", async () => {
  using warnings = new Warnings();
  await using redis = await connect({ url: "memory:" });
  const app = new Hono();
  app.use(hono.rateLimit(redis, { "*": "API" }));
  app.use(hono.session(redis));
  app.get("/health", hono.health(redis));
  app.get("/login", async (c) => {
    await hono.sessionOf(c).create("ada", {});
    return c.text("");
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const url = `http://127.0.0.1:${server.addr.port}`;
  await (await fetch(`${url}/login`)).body?.cancel();
  const health = await (await fetch(`${url}/health`)).json();
  await server.shutdown();
  assertEquals((await redis.sessions.list("ada"))[0]?.device?.address, "127.0.0.1");
  assertEquals((await redis.rateLimit.peek("API", "127.0.0.1")).remaining, 998);
  assertEquals(typeof health.uptime === "number" || Object.keys(health).length > 1, true, JSON.stringify(health));
  assertEquals(warnings.lines, []);
});

Deno.test("A warning tells once that clients cannot be told apart", async (t) => {
  const served = async (on: ((event: LarderEvent) => void) | undefined, ask: (app: Hono) => Promise<unknown>) => {
    using warnings = new Warnings();
    await using redis = await connect({ url: "memory:", on });
    const app = new Hono();
    app.use(hono.rateLimit(redis, { "*": "AUTH" }));
    app.get("/", (c) => c.text("hello"));
    for (let i = 0; i < 7; i++) await ask(app);
    return warnings.lines;
  };
  await t.step("as an event and on the console", async () => {
    const events: LarderEvent[] = [];
    const lines = await served((event) => events.push(event), async (app) => await app.fetch(request.clone()));
    const told = events.filter(({ type }) => type === "warning") as { message: string }[];
    assertEquals([told.length, lines.length], [1, 1]);
    for (const text of [told[0]!.message, lines[0]!]) assertStringIncludes(text, 'share the limits of "unknown"');
    assertEquals(events.filter(({ type }) => type === "limit.refused").length, 2);
  });
  await t.step("on the console where nobody listens", async () => {
    const lines = await served(undefined, async (app) => await app.fetch(request.clone()));
    assertEquals(lines.length, 1);
    assertStringIncludes(lines[0]!, "Larder: The address of a client is not known");
  });
  await t.step("and not where the address is known", async () => {
    const info = { remoteAddr: { transport: "tcp", hostname: "192.0.2.1", port: 1 } };
    assertEquals(await served(undefined, async (app) => await app.fetch(request.clone(), info)), []);
  });
});

Deno.test("No warning where limits are not by address, or a proxy tells it", async () => {
  using warnings = new Warnings();
  await using redis = await connect({ url: "memory:", rateLimit: { trustProxy: 1 } });
  const byUser = redis.rateLimit.guard({ "*": { limits: "API", by: "user" } }, () => new Response(), {
    user: () => "ada",
  });
  await byUser(request);
  const behind = new Request(request, { headers: { "x-forwarded-for": "192.0.2.7" } });
  assertEquals(redis.rateLimit.address(behind), "192.0.2.7");
  // A hop that is no address is a fault of the proxy or of who asks.
  const malformed = new Request(request, { headers: { "x-forwarded-for": "nonsense" } });
  assertEquals(redis.rateLimit.address(malformed, { remoteAddr: { hostname: "10.0.0.1" } }), "unknown");
  assertEquals(warnings.lines, []);
});
