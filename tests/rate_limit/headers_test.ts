import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { parseList } from "structured-headers";
import { connect } from "../../mod.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import type { RateLimitOptions } from "../../src/rate_limit/options.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import type { RateLimitResult } from "../../src/rate_limit/result.ts";
import { RedisServer } from "../support/redis_server.ts";
import { TestClock } from "./stores.ts";

const ID = "192.0.2.7";

function open(options: RateLimitOptions = {}): { limiter: RateLimiter<string>; clock: TestClock } {
  const clock = new TestClock();
  return { limiter: new RateLimiter<string>(new MemoryLimitStore({ now: clock.now }), options), clock };
}

/** The members of a list field by name, as any client that knows RFC 9651 reads them. */
function read(headers: Headers, name: string): Record<string, Record<string, unknown>> {
  const value = headers.get(name);
  if (value === null) return {};
  return Object.fromEntries(
    parseList(value).map(([item, parameters]) => {
      assertEquals(typeof item, "string", "names are Strings, not Tokens");
      return [item as unknown as string, Object.fromEntries(parameters)];
    }),
  );
}

/** The fields say what the result says. */
function compare(result: RateLimitResult, headers: Headers): void {
  const policies = Object.fromEntries(
    result.results.map(({ name, limit, window }) => [name, { q: limit, w: Math.max(1, Math.ceil(window)) }]),
  );
  const limits = Object.fromEntries(
    result.results.map(({ name, remaining, moreAfter }) => [name, { r: remaining, t: Math.ceil(moreAfter) }]),
  );
  assertEquals(read(headers, "RateLimit-Policy"), policies);
  assertEquals(read(headers, "RateLimit"), limits);
  assertEquals(headers.has("Retry-After"), !result.allowed);
  const retry = Number(headers.get("Retry-After"));
  if (result.allowed) return;
  assertEquals(retry, Math.max(1, Math.ceil(result.retryAfter)));
  const violated = result.results.filter(({ allowed }) => !allowed);
  for (const { name } of violated) assertLessOrEqual(limits[name]!.t, Math.max(1, Math.ceil(result.retryAfter)));
}

Deno.test("RateLimitResult.headers() writes what structured-headers reads back", async (t) => {
  await t.step("one limit, from the first call to the refusal", async () => {
    const { limiter, clock } = open();
    for (const name of ["AUTH", "DEFAULT", "API", "STATIC"]) {
      for (let i = 0; i < 8; i++) {
        const result = await limiter.check(name, ID);
        const headers = new Headers();
        result.headers(headers);
        compare(result, headers);
        clock.pass(777);
      }
    }
  });
  await t.step("several limits", async () => {
    const { limiter, clock } = open();
    for (let i = 0; i < 8; i++) {
      const result = await limiter.checkAll([["AUTH", ID], ["API", "ada"], ["DEFAULT", ID]]);
      const headers = new Headers();
      result.headers(headers);
      compare(result, headers);
      assertEquals(Object.keys(read(headers, "RateLimit")), ["AUTH", "API", "DEFAULT"]);
      clock.pass(777);
    }
  });
  await t.step("the text itself", async () => {
    const { limiter, clock } = open({ legacyHeaders: "delta" });
    await limiter.check("AUTH", ID, { cost: 4 });
    clock.pass(200);
    await limiter.check("AUTH", ID);
    const result = await limiter.check("AUTH", ID);
    const headers = new Headers();
    result.headers(headers);
    assertEquals(Object.fromEntries(headers), {
      "ratelimit": '"AUTH";r=0;t=300',
      "ratelimit-policy": '"AUTH";q=5;w=300',
      "retry-after": "300",
      "x-ratelimit-limit": "5",
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": "300",
    });
  });
  await t.step("a window of less than a second is one second", async () => {
    const { limiter } = open();
    limiter.define("QUICK", { limit: 1, window: "250ms" });
    await limiter.check("QUICK", ID);
    const headers = new Headers();
    (await limiter.check("QUICK", ID)).headers(headers);
    assertEquals(headers.get("RateLimit-Policy"), '"QUICK";q=1;w=1');
    assertEquals([headers.get("RateLimit"), headers.get("Retry-After")], ['"QUICK";r=0;t=1', "1"]);
  });
  await t.step("the largest limit still is an Integer", async () => {
    const { limiter } = open();
    limiter.define("HUGE", { limit: 1_000_000_000, window: "366d" });
    const result = await limiter.check("HUGE", ID);
    const headers = new Headers();
    result.headers(headers);
    compare(result, headers);
  });
});

Deno.test("RateLimitResult.headers() keeps what another limit has written", async (t) => {
  await t.step("both lists have both, and each name once", async () => {
    const { limiter } = open();
    const headers = new Headers({ "RateLimit-Policy": '"proxy";q=10;w=1', "RateLimit": '"proxy";r=9;t=1' });
    (await limiter.check("API", ID)).headers(headers);
    (await limiter.check("AUTH", ID)).headers(headers);
    (await limiter.check("API", ID)).headers(headers);
    assertEquals(Object.keys(read(headers, "RateLimit-Policy")), ["proxy", "AUTH", "API"]);
    assertEquals(read(headers, "RateLimit").API!.r, 998);
  });
  await t.step("legacy headers are those of the tightest", async () => {
    for (const order of [["AUTH", "API"], ["API", "AUTH"]]) {
      const { limiter } = open();
      const headers = new Headers();
      for (const name of order) (await limiter.check(name, ID)).headers(headers);
      assertEquals([headers.get("X-RateLimit-Limit"), headers.get("X-RateLimit-Remaining")], ["5", "4"]);
    }
  });
  await t.step("of one name with several ids the tightest", async () => {
    for (const ids of [["a", "b"], ["b", "a"]] as const) {
      const { limiter } = open();
      await limiter.check("AUTH", "a", { cost: 3 });
      const headers = new Headers();
      (await limiter.checkAll([["AUTH", ids[0]], ["AUTH", ids[1]]])).headers(headers);
      assertEquals(headers.get("RateLimit"), '"AUTH";r=1;t=300');
      assertEquals(headers.get("RateLimit-Policy"), '"AUTH";q=5;w=300');
    }
  });
  await t.step("the longest wait counts", async () => {
    const { limiter } = open();
    limiter.define("A", { limit: 1, window: 10 }).define("B", { limit: 1, window: 20 });
    for (const order of [["A", "B"], ["B", "A"]]) {
      const headers = new Headers();
      for (const name of order) {
        await limiter.check(name, ID);
        (await limiter.check(name, ID)).headers(headers);
      }
      assertEquals(headers.get("Retry-After"), "20");
    }
  });
  await t.step("what is of an older draft is not joined to ours", async () => {
    const { limiter } = open();
    const older = [
      ["100;w=60", "limit=100, remaining=42, reset=18"],
      ["10;w=1, 100;w=60", "limit=10, remaining=4;x"],
      ["token;w=60", "token;r=1"],
      ['100;w=60, "proxy";q=10;w=1', '42, "proxy";r=9;t=1'],
    ] as const;
    for (const [policy, limit] of older) {
      const headers = new Headers({ "RateLimit-Policy": policy, "RateLimit": limit });
      (await limiter.check("AUTH", policy)).headers(headers);
      const proxy = policy.includes("proxy");
      assertEquals(headers.get("RateLimit-Policy"), `${proxy ? '"proxy";q=10;w=1, ' : ""}"AUTH";q=5;w=300`);
      assertEquals(headers.get("RateLimit"), `${proxy ? '"proxy";r=9;t=1, ' : ""}"AUTH";r=4;t=300`);
    }
  });
  await t.step("what cannot be read is replaced", async () => {
    const { limiter } = open();
    const headers = new Headers({ "RateLimit": "limit=100, remaining=50;;;" });
    (await limiter.check("AUTH", ID)).headers(headers);
    assertEquals(Object.keys(read(headers, "RateLimit")), ["AUTH"]);
  });
});

Deno.test("RateLimitResult.headers() writes legacy headers as the option says", async (t) => {
  for (const legacyHeaders of ["epoch", "delta", undefined] as const) {
    await t.step(String(legacyHeaders), async () => {
      const { limiter } = open(legacyHeaders && { legacyHeaders });
      const before = Math.ceil(Date.now() / 1000) + 300;
      const headers = new Headers();
      (await limiter.check("AUTH", ID)).headers(headers);
      const reset = Number(headers.get("X-RateLimit-Reset"));
      if (legacyHeaders === "delta") assertEquals(reset, 300);
      else assert(reset >= before && reset <= before + 2, `${reset}`);
      assertEquals([headers.get("X-RateLimit-Limit"), headers.get("X-RateLimit-Remaining")], ["5", "4"]);
    });
  }
  await t.step("false", async () => {
    const { limiter } = open({ legacyHeaders: false });
    const headers = new Headers();
    (await limiter.check("AUTH", ID)).headers(headers);
    assertEquals([...headers.keys()].filter((name) => name.startsWith("x-")), []);
    assertEquals(headers.get("RateLimit"), '"AUTH";r=4;t=300');
  });
});

Deno.test("RateLimitResult.response() is a problem that no cache keeps", async (t) => {
  await t.step("one limit", async () => {
    const { limiter } = open();
    const allowed = await limiter.check("AUTH", ID, { cost: 5 });
    assertThrows(() => allowed.response(), TypeError, "Cannot make a response");
    const result = await limiter.check("AUTH", ID);
    const response = result.response();
    assertEquals(response.status, 429);
    assertEquals(response.headers.get("Cache-Control"), "no-store");
    assertEquals(response.headers.get("Content-Type"), "application/problem+json");
    compare(result, response.headers);
    assertEquals(await response.json(), {
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      title: "Request quota has been exceeded",
      status: 429,
      "violated-policies": ["AUTH"],
    });
    assertEquals((await result.response().json()).status, 429, "each call makes a new one");
  });
  await t.step("several limits", async () => {
    const { limiter } = open();
    await limiter.check("AUTH", ID, { cost: 5 });
    await limiter.check("DEFAULT", ID, { cost: 100 });
    const result = await limiter.checkAll([["API", ID], ["DEFAULT", ID], ["AUTH", ID], ["AUTH", ID]]);
    assertEquals((await result.response().json())["violated-policies"], ["DEFAULT", "AUTH"]);
    assertEquals(result.response().headers.get("Retry-After"), "300");
  });
});

Deno.test("RateLimitResult.headers() lets scripts of other origins read them, on wish", async (t) => {
  const exposed = async (options: RateLimitOptions, before?: string) => {
    const { limiter } = open(options);
    await limiter.check("AUTH", ID, { cost: 5 });
    const headers = new Headers(before === undefined ? {} : { "Access-Control-Expose-Headers": before });
    (await limiter.check("AUTH", ID)).headers(headers);
    return headers.get("Access-Control-Expose-Headers");
  };
  const draft = "RateLimit, RateLimit-Policy, Retry-After";
  const legacy = "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset";
  await t.step("not by itself", async () => assertEquals(await exposed({}), null));
  await t.step("all that are there", async () => {
    assertEquals(await exposed({ exposeHeaders: true }), `${draft}, ${legacy}`);
    assertEquals(await exposed({ exposeHeaders: true, legacyHeaders: false }), draft);
    const { limiter } = open({ exposeHeaders: true, legacyHeaders: false });
    const headers = new Headers();
    (await limiter.check("AUTH", ID)).headers(headers);
    assertEquals(headers.get("Access-Control-Expose-Headers"), "RateLimit, RateLimit-Policy");
  });
  await t.step("beside those of the handler, each once", async () => {
    const options = { exposeHeaders: true, legacyHeaders: false } as const;
    assertEquals(await exposed(options, "X-Own, ratelimit"), "X-Own, ratelimit, RateLimit-Policy, Retry-After");
  });
  await t.step("in refusals of a guard", async () => {
    const { limiter } = open({ exposeHeaders: true });
    const serve = limiter.guard({ "*": "AUTH" }, () => new Response());
    for (let i = 0; i < 5; i++) await serve(new Request("http://localhost/"));
    const response = await serve(new Request("http://localhost/"));
    assertEquals([response.status, response.headers.get("Access-Control-Expose-Headers")], [
      429,
      `${draft}, ${legacy}`,
    ]);
  });
  await t.step("a value that is no boolean", () => {
    assertThrows(() => open({ exposeHeaders: "yes" as never }), TypeError, "exposeHeaders");
  });
});

Deno.test("RateLimitResult.headers() never tells to wait longer than the window, on a real server", async (t) => {
  await using server = await RedisServer.start();
  for (const algorithm of ["exact", "fixed-window", "sliding-window", "gcra"] as const) {
    await t.step(algorithm, async () => {
      await using redis = await connect({
        url: server.url,
        namespace: `window-${algorithm}`,
        rateLimit: { timeout: "10s", presets: { ONCE: { limit: 1, window: "1m", algorithm } } },
      });
      for (let i = 0; i < 30; i++) {
        for (let call = 0; call < 2; call++) {
          const headers = new Headers();
          (await redis.rateLimit.check("ONCE", `${ID} ${i}`)).headers(headers);
          assertLessOrEqual(read(headers, "RateLimit").ONCE!.t as number, 60);
          assertLessOrEqual(Number(headers.get("Retry-After")), 60);
        }
      }
    });
  }
});
