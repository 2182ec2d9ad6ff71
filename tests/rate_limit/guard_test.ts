import { assert, assertEquals, assertThrows } from "@std/assert";
import type { LarderEvent } from "../../src/observe/events.ts";
import type { Refusal } from "../../src/rate_limit/guard.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import type { RateLimitOptions } from "../../src/rate_limit/options.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import { TestClock } from "./stores.ts";

const PEER = { remoteAddr: { transport: "tcp", hostname: "203.0.113.9", port: 1 } };
const OTHER = { remoteAddr: { transport: "tcp", hostname: "203.0.113.10", port: 1 } };

function open(options: RateLimitOptions = {}): { limiter: RateLimiter; events: LarderEvent[]; clock: TestClock } {
  const events: LarderEvent[] = [];
  const clock = new TestClock();
  const store = new MemoryLimitStore({ now: clock.now });
  return { limiter: new RateLimiter(store, options, (event) => events.push(event)), events, clock };
}

const hello = () => new Response("hello");
const get = (path: string, init?: RequestInit) => new Request(`http://localhost${path}`, init);
const policy = (response: Response) => response.headers.get("RateLimit-Policy")?.match(/[A-Z]+/g) ?? [];

Deno.test("RateLimiter.guard() finds the limits of a route", async (t) => {
  const { limiter } = open();
  const serve = limiter.guard({
    "*": "DEFAULT",
    "POST /login": "AUTH",
    "PUT|PATCH *": "API",
    "/static/*": "STATIC",
    "GET|head /users/:id": ["API", "DEFAULT"],
  }, hello);
  const cases: [string, string, string[]][] = [
    ["POST", "/login", ["AUTH"]],
    ["GET", "/login", ["DEFAULT"]],
    ["POST", "/login/", ["AUTH", "DEFAULT"]],
    ["GET", "/static/a/b.png?x=1", ["STATIC"]],
    ["PUT", "/static/a", ["STATIC"]],
    ["PUT", "/other", ["API"]],
    ["HEAD", "/users/7", ["API", "DEFAULT"]],
    ["DELETE", "/users/7", ["DEFAULT"]],
    ["GET", "/", ["DEFAULT"]],
  ];
  for (const [method, path, wanted] of cases) {
    await t.step(`${method} ${path}`, async () => {
      assertEquals(policy(await serve(get(path, { method }), PEER)), wanted);
    });
  }
  await t.step("a path in another spelling is the same path", async () => {
    // What fits only in another spelling counts, and so does what fits the path as it was sent.
    for (const path of ["/%6Cogin", "/%6c%6F%67%69%6e", "/login%2F"]) {
      assertEquals(policy(await serve(get(path, { method: "POST" }), PEER)), ["AUTH", "DEFAULT"], path);
    }
    for (const path of ["/x/../login", "/x/%2e%2E/login"]) { // a Request knows nothing else of them
      assertEquals(policy(await serve(get(path, { method: "POST" }), PEER)), ["AUTH"], path);
    }
    assertEquals(policy(await serve(get("/users%2F7"), PEER)), ["API", "DEFAULT"]);
    assertEquals(policy(await serve(get("/users/7%2F8"), PEER)), ["API", "DEFAULT"]);
    assertEquals(policy(await serve(get("/%73tatic/%E4%BD%A0%2F"), PEER)), ["STATIC", "DEFAULT"]);
    assertEquals(policy(await serve(get("/static/%E4%BD%A0%2F"), PEER)), ["STATIC"]);
    assertEquals(policy(await serve(get("/%"), PEER)), ["DEFAULT"]);
  });
  await t.step("who may GET may HEAD, and both count", async () => {
    const { limiter } = open();
    const serve = limiter.guard({ "GET /export": "AUTH", "*": "DEFAULT" }, hello);
    for (const method of ["GET", "HEAD"]) {
      assertEquals(policy(await serve(get("/export", { method }), PEER)), ["AUTH"], method);
    }
    assertEquals(policy(await serve(get("/export", { method: "POST" }), PEER)), ["DEFAULT"]);
    const apart = limiter.guard({ "HEAD /export": "DEFAULT", "GET /export": "AUTH" }, hello);
    assertEquals(policy(await apart(get("/export", { method: "HEAD" }), PEER)), ["DEFAULT"]);
  });
  await t.step("routes with the same limit share it, others do not", async () => {
    const { limiter } = open();
    limiter.define("OTHER" as "API", { limit: 5, window: "5m" });
    const serve = limiter.guard({ "/a": "AUTH", "/b": "AUTH", "/c": "OTHER" as "API" }, hello);
    for (const path of ["/a", "/b", "/a", "/b", "/a"]) assertEquals((await serve(get(path), PEER)).status, 200);
    for (const path of ["/a", "/b"]) assertEquals((await serve(get(path), PEER)).status, 429);
    assertEquals((await serve(get("/c"), PEER)).headers.get("RateLimit"), '"OTHER";r=4;t=300');
  });
  await t.step("without a rule that fits there is no limit", async () => {
    const response = await limiter.guard({ "POST /login": "AUTH" }, hello)(get("/"), PEER);
    assertEquals([...response.headers.keys()], ["content-type"]);
  });
});

Deno.test("RateLimiter.guard() refuses what is too much, and lets the rest through with headers", async () => {
  const { limiter, events } = open();
  let handled = 0;
  const refusals: Refusal[] = [];
  const serve = limiter.guard({ "POST /login": "AUTH" }, (_request, info: typeof PEER) => {
    handled++;
    return new Response(info.remoteAddr.hostname);
  }, {
    onLimited(refusal) {
      refusals.push(refusal);
      throw new Error("a log that fails breaks nothing");
    },
  });
  const login = (info: typeof PEER) => serve(get("/login", { method: "POST" }), info);
  for (let i = 0; i < 5; i++) {
    const response = await login(PEER);
    assertEquals([response.status, await response.text()], [200, "203.0.113.9"]);
    assertEquals(response.headers.get("RateLimit"), `"AUTH";r=${4 - i};t=300`);
  }
  const refused = await login(PEER);
  assertEquals([refused.status, refused.headers.get("Retry-After")], [429, "300"]);
  assertEquals(handled, 5);
  assertEquals((await login(OTHER)).status, 200);
  assertEquals(refusals.map(({ route, id, shadow, result }) => [route, id, shadow, result.name]), [
    ["POST /login", "203.0.113.9", false, "AUTH"],
  ]);
  assertEquals(events, [
    { type: "limit.refused", name: "AUTH", id: "203.0.113.9", limit: 5, retryAfter: 300, source: "memory" },
  ]);
});

Deno.test("RateLimiter.guard() tells callers apart as it is told", async (t) => {
  await t.step("by user, else by address", async () => {
    const { limiter } = open();
    const user = (request: Request) => request.headers.get("x-user") ?? undefined;
    const serve = limiter.guard({ "*": { limits: "AUTH", by: "user" } }, hello, { user });
    for (let i = 0; i < 5; i++) await serve(get("/", { headers: { "x-user": "ada" } }), PEER);
    assertEquals((await serve(get("/", { headers: { "x-user": "ada" } }), OTHER)).status, 429);
    assertEquals((await serve(get("/", { headers: { "x-user": "bob" } }), PEER)).status, 200);
    assertEquals((await serve(get("/"), PEER)).status, 200);
    assertEquals((await limiter.peek("AUTH", "user:ada")).remaining, 0);
    assertEquals((await limiter.peek("AUTH", "203.0.113.9")).remaining, 4);
    // What a user is called does not reach the limit of an address.
    await serve(get("/", { headers: { "x-user": "203.0.113.10" } }), PEER);
    assertEquals((await limiter.peek("AUTH", "203.0.113.10")).remaining, 5);
  });
  await t.step("by a header, of which only a hash is kept", async () => {
    const { limiter, events } = open();
    const serve = limiter.guard({ "*": { limits: "AUTH", by: "header:X-API-Key" } }, hello);
    const call = (key: string, info = PEER) => serve(get("/", { headers: { "x-api-key": key } }), info);
    for (let i = 0; i < 6; i++) await call("secret-of-ada");
    assertEquals((await call("secret-of-ada", OTHER)).status, 429);
    assertEquals((await call("secret-of-bob")).status, 200);
    assertEquals((await call("x".repeat(20_000))).status, 200);
    assert(!JSON.stringify(events).includes("secret"));
  });
  await t.step("by a function, whatever it says", async () => {
    const { limiter } = open();
    let id: string | undefined = "a";
    const serve = limiter.guard({ "*": { limits: "AUTH", by: () => Promise.resolve(id) } }, hello);
    for (id of ["tenant:7", "x".repeat(5000), "a\nb", "\ud800", "", undefined]) {
      assertEquals((await serve(get("/"), PEER)).status, 200, JSON.stringify(id));
    }
    assertEquals((await limiter.peek("AUTH", "by:tenant:7")).remaining, 4);
    assertEquals((await limiter.peek("AUTH", "203.0.113.9")).remaining, 3);
  });
  await t.step("an id that looks like the hash of another is another", async () => {
    const { limiter, events } = open();
    let id = "x".repeat(5000);
    const serve = limiter.guard({ "*": { limits: "AUTH", by: () => id } }, hello);
    for (let i = 0; i < 6; i++) await serve(get("/"), PEER);
    const [refused] = events.filter((event) => event.type === "limit.refused");
    assert(refused!.id.startsWith("by:sha256:"));
    id = refused!.id.slice("by:".length);
    assertEquals((await serve(get("/"), PEER)).status, 200);
  });
  await t.step("one limit by address and by user counts once where both are the same", async () => {
    const { limiter } = open();
    const user = (request: Request) => request.headers.get("x-user") ?? undefined;
    const rules = { "*": ["AUTH", { limits: ["AUTH"], by: "user", cost: 2 }] } as const;
    const serve = limiter.guard(rules, hello, { user });
    await serve(get("/"), PEER);
    assertEquals((await limiter.peek("AUTH", "203.0.113.9")).remaining, 3);
    await serve(get("/", { headers: { "x-user": "ada" } }), PEER);
    assertEquals((await limiter.peek("AUTH", "203.0.113.9")).remaining, 2);
    assertEquals((await limiter.peek("AUTH", "user:ada")).remaining, 3);
  });
  await t.step("the refusal says whose limit it was", async () => {
    const { limiter, events } = open();
    const refusals: Refusal[] = [];
    const user = () => "ada";
    const serve = limiter.guard({ "*": ["AUTH", { limits: "AUTH", by: "user" }] }, hello, {
      user,
      onLimited: (refusal) => refusals.push(refusal),
    });
    await limiter.penalize("AUTH", "user:ada", 5);
    assertEquals((await serve(get("/"), PEER)).status, 429);
    assertEquals(refusals.map(({ id }) => id), ["user:ada"]);
    assertEquals(events.map((event) => event.type === "limit.refused" && event.id), ["user:ada"]);
  });
  await t.step("without an address all share one limit", async () => {
    const { limiter } = open();
    const serve = limiter.guard({ "*": "AUTH" }, hello);
    for (let i = 0; i < 5; i++) await serve(get("/"));
    assertEquals((await serve(get("/"))).status, 429);
  });
  await t.step("by what a trusted proxy says", async () => {
    const { limiter } = open({ trustProxy: 1 });
    const serve = limiter.guard({ "*": "AUTH" }, hello);
    for (let i = 0; i < 5; i++) await serve(get("/", { headers: { "x-forwarded-for": `1.1.1.${i}, 8.8.8.8` } }), PEER);
    assertEquals((await serve(get("/", { headers: { "x-forwarded-for": "8.8.8.8" } }), PEER)).status, 429);
    assertEquals((await serve(get("/", { headers: { "x-forwarded-for": "8.8.4.4" } }), PEER)).status, 200);
  });
  await t.step("a header of a proxy that is not trusted is told of, once", async () => {
    for (const name of ["X-Forwarded-For", "Forwarded"]) {
      const { limiter, events } = open();
      const serve = limiter.guard({ "*": "API" }, hello);
      for (let i = 0; i < 3; i++) await serve(get("/", { headers: { [name]: "for=8.8.8.8" } }), PEER);
      assertEquals(events.map(({ type }) => type), ["warning"]);
      assert(JSON.stringify(events).includes(`A request has ${name},`));
      const trusting = open({ trustProxy: 1 });
      await trusting.limiter.guard({ "*": "API" }, hello)(get("/", { headers: { [name]: "for=8.8.8.8" } }), PEER);
      assertEquals(trusting.events, []);
    }
  });
});

Deno.test("RateLimiter.guard() has costs, exceptions, shadows and several limits", async (t) => {
  await t.step("cost", async () => {
    const { limiter } = open();
    const cost = (request: Request) => Number(new URL(request.url).searchParams.get("n"));
    const serve = limiter.guard(
      { "/export": { limits: "DEFAULT", cost }, "/fixed": { limits: "API", cost: 7 } },
      hello,
    );
    assertEquals((await serve(get("/export?n=60"), PEER)).status, 200);
    assertEquals((await serve(get("/export?n=60"), PEER)).status, 429);
    assertEquals((await serve(get("/export?n=40"), PEER)).headers.get("RateLimit"), '"DEFAULT";r=0;t=60');
    await serve(get("/fixed"), PEER);
    assertEquals((await limiter.peek("API", "203.0.113.9")).remaining, 993);
  });
  await t.step("skip", async () => {
    const { limiter } = open();
    const skip = (request: Request) => Promise.resolve(request.headers.has("x-monitor"));
    const serve = limiter.guard({ "*": { limits: "AUTH", skip } }, hello);
    for (let i = 0; i < 9; i++) {
      const response = await serve(get("/", { headers: { "x-monitor": "1" } }), PEER);
      assertEquals([response.status, response.headers.has("RateLimit")], [200, false]);
    }
    assertEquals((await limiter.peek("AUTH", "203.0.113.9")).remaining, 5);
  });
  await t.step("shadow", async () => {
    const { limiter, events } = open();
    const shadows: boolean[] = [];
    const serve = limiter.guard({ "*": [{ limits: "AUTH", shadow: true }, "API"] }, hello, {
      onLimited: ({ shadow }) => shadows.push(shadow),
    });
    for (let i = 0; i < 7; i++) {
      const response = await serve(get("/"), PEER);
      assertEquals([response.status, policy(response)], [200, ["API"]]);
    }
    assertEquals(shadows, [true, true]);
    assertEquals(events.filter(({ type }) => type === "limit.shadow").length, 2);
  });
  await t.step("shadow: refuses nothing, even what cannot be counted", async () => {
    const { limiter, events } = open();
    const serve = limiter.guard({ "*": [{ limits: "AUTH", cost: () => 6, shadow: true }, "API"] }, hello);
    const response = await serve(get("/"), PEER);
    assertEquals([response.status, policy(response)], [200, ["API"]]);
    assertEquals(events.map(({ type }) => type), ["warning"]);
  });
  await t.step("by address and by account: all or nothing", async () => {
    const { limiter } = open();
    const by = (request: Request) => request.headers.get("x-account") ?? undefined;
    const serve = limiter.guard({ "POST /login": ["DEFAULT", { limits: "AUTH", by }] }, hello);
    const login = (info: typeof PEER) =>
      serve(get("/login", { method: "POST", headers: { "x-account": "ada" } }), info);
    for (let i = 0; i < 8; i++) await login(PEER);
    assertEquals((await limiter.peek("DEFAULT", "203.0.113.9")).remaining, 95);
    assertEquals((await login(OTHER)).status, 429);
  });
  await t.step("a response of one's own", async () => {
    const { limiter } = open();
    const respond = () => new Response("slow down", { status: 429, headers: { "x-own": "1" } });
    const serve = limiter.guard({ "*": "AUTH" }, hello, { respond });
    for (let i = 0; i < 5; i++) await serve(get("/"), PEER);
    const response = await serve(get("/"), PEER);
    assertEquals([response.status, await response.text()], [429, "slow down"]);
    assertEquals(["x-own", "Retry-After", "Cache-Control"].map((name) => response.headers.get(name)), [
      "1",
      "300",
      "no-store",
    ]);
  });
});

Deno.test("RateLimiter.gate() decides first and adds headers to whatever follows", async (t) => {
  const { limiter } = open();
  const gate = limiter.gate({ "*": "API" });
  await t.step("a response whose headers cannot be changed", async () => {
    const { response, apply } = await gate.decide(get("/"), PEER);
    assertEquals(response, undefined);
    const redirect = apply(Response.redirect("http://localhost/other"));
    assertEquals([redirect.status, redirect.headers.get("RateLimit-Policy")], [302, '"API";q=1000;w=3600']);
    assertEquals(apply(Response.error()).type, "error", "one that has no headers");
  });
  await t.step("an error of the handler after the decision", async () => {
    const serve = limiter.guard({ "*": "API" }, () => Promise.reject(new Error("broken")));
    const error = await serve(get("/"), PEER).catch((error) => error);
    assertEquals(error.message, "broken");
  });
  await t.step("a body is passed on as it is", async () => {
    const { apply } = await gate.decide(get("/"), PEER);
    assertEquals(await apply(new Response("body")).text(), "body");
  });
});

Deno.test("RateLimiter.guard() refuses rules that make no sense", () => {
  const { limiter } = open();
  const wrong: [unknown, string][] = [
    [{}, "wanted rules"],
    [null, "wanted rules"],
    [{ "login": "AUTH" }, "a path"],
    [{ "POST  login": "AUTH" }, "a path"],
    [{ "/login": "AUHT" }, "limits that there are"],
    [[], "wanted rules"],
    [{ "/login?next=/": "AUTH" }, 'without "?" and "#"'],
    [{ "/login?": "AUTH" }, 'without "?" and "#"'],
    [{ "/files/*?x": "AUTH" }, 'without "?" and "#"'],
    [{ "/login#top": "AUTH" }, 'without "?" and "#"'],
    [{ "/login": { limits: "AUTH", costs: 2 } }, 'such as "cost"'],
    [{ "/login": { limits: "AUTH", cost: "2" } }, '"cost" to be a number or a function'],
    [{ "/login": { limits: "AUTH", skip: true } }, '"skip" to be a function'],
    [{ "/login": { limits: "AUTH", shadow: 1 } }, '"shadow" to be a boolean'],
    [{ "/login": 5 }, "the name of a limit"],
    [{ "/login": { limits: [] } }, "to be names"],
    [{ "/login": { limits: "AUTH", by: "cookie" } }, '"by"'],
    [{ "/login": { limits: "AUTH", by: "header:a b" } }, '"by"'],
    [{ "/login": { limits: "AUTH", by: "user" } }, 'the option "user"'],
    [{ "/:": "AUTH" }, "URLPattern"],
  ];
  for (const [rules, message] of wrong) {
    assertThrows(() => limiter.guard(rules as never, hello), TypeError, message);
  }
  assertThrows(() => limiter.guard({ "*": "AUTH" }, undefined as never), TypeError, "handler");
  for (const cost of [-1, 1.5, 6, NaN, Infinity]) {
    assertThrows(() => limiter.guard({ "*": { limits: ["API", "AUTH"], cost } }, hello), RangeError, "from 0 to 5");
  }
  const options: [unknown, string][] = [
    [{ onlimited: hello }, '"onLimited"'],
    [{ user: "ada" }, '"user"'],
    [{ respond: 429 }, '"respond"'],
    [{ onLimited: {} }, '"onLimited"'],
    [{ strict: "yes" }, '"strict"'],
    [{ caseSensitive: 0 }, '"caseSensitive"'],
    [null, "options"],
  ];
  for (const [given, message] of options) {
    assertThrows(() => limiter.guard({ "*": "AUTH" }, hello, given as never), TypeError, message);
  }
  limiter.guard({ "/users/:id?": "AUTH", "/files{/:name}?": "AUTH", "/a(b)?/c": "AUTH" }, hello);
});

Deno.test("RateLimiter.guard() serves over the network", async () => {
  const { limiter } = open();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    limiter.guard({ "/login": "AUTH" }, (_request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => {
      return new Response(info.remoteAddr.hostname);
    }),
  );
  const url = `http://127.0.0.1:${server.addr.port}/login`;
  const statuses = await Promise.all(Array.from({ length: 20 }, async () => {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.status;
  }));
  assertEquals(statuses.filter((status) => status === 200).length, 5);
  assertEquals(statuses.filter((status) => status === 429).length, 15);
  assertEquals((await limiter.peek("AUTH", "127.0.0.1")).remaining, 0);
});

Deno.test("RateLimiter.guard() lets WebSockets through, and limits them", async () => {
  const { limiter } = open();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    limiter.guard({ "/socket": "AUTH" }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(`${data}!`);
      return response;
    }),
  );
  const talk = () =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/socket`);
      let answer = "refused";
      socket.onopen = () => socket.send("hello");
      socket.onmessage = ({ data }) => {
        answer = data;
        socket.close();
      };
      socket.onclose = () => resolve(answer);
    });
  const answers: string[] = [];
  for (let i = 0; i < 6; i++) answers.push(await talk());
  assertEquals(answers, [...Array(5).fill("hello!"), "refused"]);
});
