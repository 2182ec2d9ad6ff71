import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import express from "express";
import Fastify from "fastify";
import { createServer } from "node:http";
import { pipeline } from "node:stream";
import { Hono } from "hono";
import { connect, type Larder } from "../../mod.ts";
import { idempotent as expressIdempotent } from "../../src/http/express.ts";
import { idempotent as fastifyIdempotent } from "../../src/http/fastify.ts";
import { idempotent as honoIdempotent } from "../../src/http/hono.ts";
import { type IdempotencyOptions, idempotent } from "../../src/http/mod.ts";
import { idempotent as oakIdempotent } from "../../src/http/oak.ts";
import { application, listen } from "./oak_server.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { OLDEST } from "../support/oldest.ts";
import { RedisServer } from "../support/redis_server.ts";
import { rawRequest, sendRaw } from "../support/raw_http.ts";
import { until } from "../support/until.ts";

const encoder = new TextEncoder();

/** A service that takes payments. */
class Payments {
  made = 0;
  readonly waiting: PromiseWithResolvers<void>[] = [];

  async pay(body: string): Promise<Response> {
    this.made++;
    const made = this.made;
    if (body === "slow") {
      const gate = Promise.withResolvers<void>();
      this.waiting.push(gate);
      await gate.promise;
    }
    if (body === "throw") throw new Error("no paper");
    if (body === "busy") return new Response("busy", { status: 503 });
    if (body === "bad") return Response.json({ made }, { status: 400 });
    if (body === "large") return new Response("x".repeat(5000));
    if (body === "none") return new Response(null, { status: 204, headers: { "x-made": String(made) } });
    return Response.json({ made, body }, {
      status: 201,
      headers: { location: `/payments/${made}`, "set-cookie": "a=b" },
    });
  }

  go(): void {
    for (const gate of this.waiting.splice(0)) gate.resolve();
  }
}

/** The middleware in front of a service, and who sends requests to it. */
interface Shop extends AsyncDisposable {
  readonly payments: Payments;
  post(body: string, key?: string, headers?: Record<string, string>): Promise<Response>;
}

type OpenShop = (redis: Larder, options?: IdempotencyOptions) => Shop | Promise<Shop>;

function sender(base: string): Shop["post"] {
  return (body, key, headers = {}) =>
    fetch(`${base}/pay`, {
      method: "POST",
      body,
      headers: { "content-type": "text/plain", ...(key !== undefined && { "idempotency-key": key }), ...headers },
    });
}

const serve: OpenShop = (redis, options) => {
  const payments = new Payments();
  const once = idempotent(redis, options);
  const server = Deno.serve(
    {
      port: 0,
      hostname: "127.0.0.1",
      onListen: () => {},
      onError: (error) => new Response(String(error), { status: 500 }),
    },
    (request, info) => once(request, async (request) => await payments.pay(await request.text()), info),
  );
  return {
    payments,
    post: sender(`http://127.0.0.1:${server.addr.port}`),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
};

const hono: OpenShop = (redis, options) => {
  const payments = new Payments();
  const app = new Hono();
  app.use("*", async (context, next) => {
    context.header("x-front", "1");
    await next();
  });
  app.post("/pay", honoIdempotent(redis, options), async (context) => await payments.pay(await context.req.text()));
  app.onError((error, context) => context.text(String(error), 500));
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, app.fetch);
  return {
    payments,
    post: sender(`http://127.0.0.1:${server.addr.port}`),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
};

const overExpress: OpenShop = async (redis, options) => {
  const payments = new Payments();
  const app = express();
  app.use(express.text());
  // deno-lint-ignore no-explicit-any -- the types of Express are not those of node:http here
  app.post("/pay", expressIdempotent(redis, options) as any, async (request: any, response: any) => {
    const made = await payments.pay(typeof request.body === "string" ? request.body : "");
    response.status(made.status);
    for (const [name, value] of made.headers) response.setHeader(name, value);
    response.end(await made.text());
  });
  // deno-lint-ignore no-explicit-any -- as above
  app.use((error: any, _request: any, response: any, _next: any) => void response.status(500).end(String(error)));
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  const server = app.listen(0, "127.0.0.1", () => resolve());
  await listening;
  const { port } = server.address() as { port: number };
  return {
    payments,
    post: sender(`http://127.0.0.1:${port}`),
    async [Symbol.asyncDispose]() {
      await closeNodeServer(server);
    },
  };
};

const overFastify: OpenShop = async (redis, options) => {
  const payments = new Payments();
  const app = Fastify({ forceCloseConnections: true });
  app.setErrorHandler((error, _request, reply) => void reply.code(500).send(String(error)));
  app.post("/pay", { preHandler: fastifyIdempotent(redis, options) }, async (request, reply) => {
    const made = await payments.pay(typeof request.body === "string" ? request.body : "");
    for (const [name, value] of made.headers) reply.header(name, value);
    return reply.code(made.status).send(made.body === null ? null : await made.text());
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return { payments, post: sender(url), [Symbol.asyncDispose]: () => app.close() };
};

const overOak: OpenShop = async (redis, options) => {
  const payments = new Payments();
  const app = application();
  app.use(async (context, next) => {
    context.response.headers.set("x-front", "1");
    try {
      await next();
    } catch (error) {
      context.response.status = 500;
      context.response.body = String(error);
    }
  });
  app.use(oakIdempotent(redis, options) as never);
  app.use(async ({ request, response }) => {
    const made = await payments.pay(await request.body.text());
    response.status = made.status;
    for (const [name, value] of made.headers) response.headers.set(name, value);
    response.body = made.body === null ? null : await made.text();
  });
  const { url, [Symbol.asyncDispose]: close } = await listen(app);
  return { payments, post: sender(url), [Symbol.asyncDispose]: close };
};

async function openRedis(server: RedisServer): Promise<Larder> {
  const redis = await connect({ url: server.url, namespace: "shop", commandTimeout: "5s", on: () => {} });
  await redis.ready({ timeout: "20s" });
  return redis;
}

const FRAMEWORKS: readonly (readonly [string, OpenShop])[] = [
  ["Deno.serve", serve],
  ["Hono", hono],
  ["Express", overExpress],
  ["Fastify", overFastify],
  ["Oak", overOak],
];

for (const [framework, open] of FRAMEWORKS) {
  for (const store of ["memory", "redis"]) {
    Deno.test(`idempotent() answers a request with Idempotency-Key once: ${framework}, ${store}`, async (t) => {
      await using server = store === "redis" ? await RedisServer.start() : undefined;
      await using redis = server ? await openRedis(server) : await connect({ url: "memory:" });
      await using shop = await open(redis, { maxBytes: 2000 });
      const { payments, post } = shop;
      await t.step("the same response, and one that says so", async () => {
        const first = await post("seven", "k1");
        assertEquals([first.status, await first.json()], [201, { made: 1, body: "seven" }]);
        assertEquals(first.headers.get("idempotent-replayed"), null);
        assertEquals(first.headers.get("set-cookie"), "a=b");
        const again = await post("seven", '"k1"'); // the same key as a structured field
        assertEquals([again.status, await again.json()], [201, { made: 1, body: "seven" }]);
        assertEquals([again.headers.get("location"), again.headers.get("idempotent-replayed")], [
          "/payments/1",
          "true",
        ]);
        assertEquals(again.headers.get("set-cookie"), null);
        if (framework === "Hono") assertEquals(again.headers.get("x-front"), "1");
      });
      await t.step("without a key nothing is remembered", async () => {
        assertEquals((await (await post("seven")).json()).made, 2);
        assertEquals((await (await post("seven")).json()).made, 3);
      });
      await t.step("422 for another body", async () => {
        const other = await post("eight", "k1");
        assertEquals([other.status, other.headers.get("content-type")], [422, "application/problem+json"]);
        await other.body?.cancel();
        assertEquals(payments.made, 3);
      });
      await t.step("another caller has keys of his own", async () => {
        const own = await post("seven", "k1", { authorization: "Bearer other" });
        assertEquals((await own.json()).made, 4);
      });
      await t.step("409 while it runs, and one call for all", async () => {
        const first = post("slow", "k2");
        await until(() => payments.waiting.length === 1, "it runs");
        const second = await post("slow", "k2");
        assertEquals([second.status, second.headers.get("retry-after")], [409, "1"]);
        await second.body?.cancel();
        payments.go();
        assertEquals((await (await first).json()).made, 5);
        assertEquals((await (await post("slow", "k2")).json()).made, 5);
      });
      await t.step("who throws or answers with 5xx is asked again", async () => {
        for (const body of ["throw", "busy"]) {
          const before = payments.made;
          for (let i = 0; i < 2; i++) assert((await textOf(post(body, `k-${body}`))).status >= 500);
          assertEquals(payments.made, before + 2, body);
        }
      });
      await t.step("a refusal is kept, and one without a body", async () => {
        const bad = await textOf(post("bad", "k3"));
        assertEquals(await textOf(post("bad", "k3")), bad);
        assertEquals(bad.status, 400);
        const none = await post("none", "k4");
        const made = none.headers.get("x-made");
        const again = await post("none", "k4");
        assertEquals([again.status, again.headers.get("x-made")], [204, made]);
      });
      await t.step("too large to be kept: whole for the first, and not done again", async () => {
        const first = await textOf(post("large", "k5"));
        assertEquals([first.status, first.text.length], [200, 5000]);
        const before = payments.made;
        assertEquals((await textOf(post("large", "k5"))).status, 409);
        assertEquals(payments.made, before);
      });
      await t.step("a key that is none is refused", async () => {
        const before = payments.made;
        for (const key of ["", '"', '"a', "a b", "a,b", "x".repeat(256), '""', "a;b"]) {
          assertEquals((await textOf(post("seven", key))).status, 400, key);
        }
        assertEquals(payments.made, before);
      });
      await t.step("a visitor who has gone is answered when he comes again", async () => {
        const before = payments.made;
        const controller = new AbortController();
        const gone = fetchUntil(shop, controller);
        await until(() => payments.waiting.length === 1, "it runs");
        controller.abort();
        await gone;
        payments.go();
        await until(async () => (await textOf(post("slow", "k6"))).status === 201, "it was kept");
        assertEquals(payments.made, before + 1);
      });
    });
  }
}

async function textOf(response: Promise<Response>): Promise<{ status: number; text: string }> {
  const { status } = await response;
  return { status, text: await (await response).text() };
}

async function fetchUntil({ post }: Shop, { signal }: AbortController): Promise<void> {
  const { fetch } = globalThis;
  globalThis.fetch = (input, init) => fetch(input, { ...init, signal });
  const sent = post("slow", "k6");
  globalThis.fetch = fetch;
  await sent.then((response) => response.body?.cancel(), () => {});
}

Deno.test("idempotent() answers 503 while Redis is away, and nothing is done twice when it is back", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "shop", commandTimeout: "300ms", on: () => {} });
  await redis.ready({ timeout: "20s" });
  await using shop = await serve(redis);
  const { payments, post } = shop;
  const first = post("slow", "k1");
  await until(() => payments.waiting.length === 1, "it runs");
  await server.pause();
  payments.go();
  assertEquals((await textOf(first)).status, 201); // done, and told, though it could not be kept
  assertEquals((await textOf(post("other", "k2"))).status, 503);
  await server.resume();
  await until(async () => {
    const { status, text } = await textOf(post("slow", "k1"));
    if (status === 201) assertStringIncludes(text, '"made":1');
    return status === 201;
  }, "it is kept at last");
  assertEquals(payments.made, 1);
});

Deno.test("idempotent() hands a response on that goes on, and does not do it again", async () => {
  await using redis = await connect({ url: "memory:" });
  const once = idempotent(redis);
  let [made, ended] = [0, false];
  const stream = () => {
    made++;
    const ticks = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        controller.enqueue(new Uint8Array([1]));
      },
      cancel: () => void (ended = true),
    });
    return new Response(ticks);
  };
  const request = () => new Request("http://localhost/", { method: "POST", headers: { "idempotency-key": "a" } });
  const first = await once(request(), stream);
  assertEquals((await once(request(), stream)).status, 409);
  const reader = first.body!.getReader();
  for (let i = 0; i < 15; i++) assertEquals((await reader.read()).value, new Uint8Array([1]));
  await reader.cancel();
  assertEquals([made, ended, redis.locks.stats().held], [1, true, 0]);
  const torn = () => new Response(new ReadableStream({ pull: (controller) => controller.error(new Error("torn")) }));
  const other = () => new Request("http://localhost/", { method: "POST", headers: { "idempotency-key": "b" } });
  await assertRejects(() => once(other(), torn), Error, "torn");
  assertEquals(await (await once(other(), () => new Response("whole"))).text(), "whole");
});

const destroys = "idempotent() asks a handler of Express again that destroyed its response, but not for who hung up";
// The server of the oldest keeps the connection of a response that is destroyed open.
Deno.test(destroys, { ignore: OLDEST }, async () => {
  await using redis = await connect({ url: "memory:" });
  const app = express();
  let [made, breaks] = [0, true];
  const parts = async function* () {
    yield "a";
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (breaks) throw new Error("torn");
    yield "b";
  };
  // deno-lint-ignore no-explicit-any -- the types of Express are not those of node:http here
  app.use(express.text(), expressIdempotent(redis) as any);
  // deno-lint-ignore no-explicit-any -- as above
  app.post("/:how", (request: any, response: any) => {
    made++;
    if (request.params.how === "pipeline") return void pipeline(parts, response, () => {});
    return breaks ? void response.destroy() : void response.end("ab");
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as { port: number };
  const post = (how: string, key: string) =>
    sendRaw(port, rawRequest("POST", `/${how}`, "localhost", [`Idempotency-Key: ${key}`]));
  for (const how of ["destroy", "pipeline"]) {
    [made, breaks] = [0, true];
    assertEquals((await post(how, how)).status, 0);
    await until(() => redis.locks.stats().held === 0, "it is given up");
    breaks = false;
    const answer = await post(how, how);
    assertEquals([answer.status, answer.body], [200, "ab"]);
    assertEquals((await post(how, how)).headers.get("idempotent-replayed"), "true");
    assertEquals(made, 2, how);
  }
  made = 0;
  const gone = await Deno.connect({ hostname: "127.0.0.1", port });
  await gone.write(encoder.encode(rawRequest("POST", "/pipeline", "localhost", ["Idempotency-Key: gone"])));
  await until(() => made === 1, "it runs");
  gone.close();
  await until(() => redis.locks.stats().held === 0, "it is kept that it was done");
  // Whether it was whole before the hang-up was noticed is a race; what is kept of it is whole.
  const after = await post("pipeline", "gone");
  if (after.status === 200) assertEquals(after.body, "ab");
  else assertEquals(after.status, 409);
  assertEquals(made, 1);
  await closeNodeServer(server);
});

Deno.test("idempotent() leaves the body to a handler that reads the request from where it stands", async () => {
  await using redis = await connect({ url: "memory:" });
  const once = idempotent(redis, { maxBytes: 10 });
  const handler = (request: Request) => once(request, async () => new Response(await request.text()));
  const post = (body: string) =>
    handler(new Request("http://localhost/", { method: "POST", body, headers: { "idempotency-key": "a" } }));
  assertEquals(await (await post("seven")).text(), "seven");
  assertEquals(await (await post("seven")).text(), "seven");
  assertEquals([(await post("eight")).status, (await post("x".repeat(11))).status], [422, 413]);
});

Deno.test("idempotent() refuses a caller that is no text, and a keep() that does not decide", async () => {
  await using redis = await connect({ url: "memory:" });
  const request = () => new Request("http://localhost/", { method: "POST", headers: { "idempotency-key": "a" } });
  let made = 0;
  const handler = () => new Response(`${++made}`);
  for (const who of [{ id: 1 }, 7, ["ada"]]) {
    const once = idempotent(redis, { by: () => who as never });
    assertMatch((await assertRejects(() => once(request(), handler), TypeError)).message, /wanted .* of "by", got/);
  }
  assertEquals(made, 0);
  for (const who of ["", null, undefined]) {
    assertEquals(await (await idempotent(redis, { by: () => who })(request(), handler)).text(), "1");
  }
  for (const keeps of [Promise.resolve(true), undefined, 1]) {
    const once = idempotent(redis, { by: () => "other", keep: () => keeps as never });
    assertMatch((await assertRejects(() => once(request(), handler), TypeError)).message, /of "keep", got/);
  }
});

Deno.test("idempotent() refuses what cannot be meant", async () => {
  await using redis = await connect({ url: "memory:" });
  const bad: [unknown, unknown][] = [
    [undefined, {}],
    [{}, {}],
    [redis, null],
    [redis, { tll: 5 }],
    [redis, { ttl: 0 }],
    [redis, { lockTtl: "1ms" }],
    [redis, { by: "ip" }],
    [redis, { keep: true }],
    [redis, { methods: "POST" }],
    [redis, { methods: ["post"] }],
    [redis, { required: 1 }],
    [redis, { maxBytes: 0 }],
  ];
  for (const make of [idempotent, honoIdempotent, expressIdempotent, fastifyIdempotent, oakIdempotent]) {
    for (const [given, options] of bad) {
      const error = assertThrows(() => make(given as never, options as never), Error);
      assert(error instanceof TypeError || error instanceof RangeError, String(error));
      assertMatch(error.message, /wanted/);
    }
  }
  const required = idempotent(redis, { required: true, maxBytes: 10 });
  const handler = () => new Response("done");
  const request = (init: RequestInit) => new Request("http://localhost/x", init);
  assertEquals((await required(request({ method: "POST" }), handler)).status, 400);
  assertEquals((await required(request({ method: "GET" }), handler)).status, 200);
  const headers = { "idempotency-key": "a" };
  assertEquals((await required(request({ method: "POST", headers, body: "x".repeat(11) }), handler)).status, 413);
  const read = request({ method: "POST", headers, body: "x" });
  await read.text();
  const errors = [
    () => required(read, handler),
    () => required(request({ method: "POST", headers: { "idempotency-key": "none" } }), () => undefined as never),
    () => redis.locks.idempotent("", {}, () => ({ value: 1 })),
    () => redis.locks.idempotent("a", { ttl: "1ms" }, () => ({ value: 1 })),
    () => redis.locks.idempotent("a", {}, undefined as never),
  ];
  for (const call of errors) assertMatch((await assertRejects(call, Error)).message, /wanted/);
});
