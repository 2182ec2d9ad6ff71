/**
 * Headers as clients get them, by the cases that other limiters test: see the README beside it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { parseList } from "structured-headers";
import type { Route } from "../../src/rate_limit/guard.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import type { RateLimitOptions } from "../../src/rate_limit/options.ts";
import type { PresetOptions } from "../../src/rate_limit/presets.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import { TestClock } from "./stores.ts";

const PEER = { remoteAddr: { transport: "tcp", hostname: "203.0.113.9", port: 1 } };

interface Served {
  readonly clock: TestClock;
  readonly limiter: RateLimiter<string>;
  get(): Promise<Response>;
}

/** A service that greets whoever its limits allow. */
function serve(presets: Record<string, PresetOptions>, options: RateLimitOptions = {}, route?: Route): Served {
  const clock = new TestClock();
  const limiter = new RateLimiter<string>(new MemoryLimitStore({ now: clock.now }), options);
  for (const [name, preset] of Object.entries(presets)) limiter.define(name, preset);
  const handler = limiter.guard({ "*": route ?? Object.keys(presets) }, () => new Response("Hi there!"));
  return { clock, limiter, get: () => handler(new Request("http://localhost/"), PEER) };
}

const headers = (response: Response, ...names: string[]) => names.map((name) => response.headers.get(name));

Deno.test("RateLimiter.guard() serves the headers of the draft", async (t) => {
  await t.step("one limit", async () => {
    const { get } = serve({ "5-in-2hrs": { limit: 5, window: "2h" } });
    const response = await get();
    assertEquals(await response.text(), "Hi there!");
    assertEquals(headers(response, "RateLimit-Policy", "RateLimit", "Retry-After"), [
      '"5-in-2hrs";q=5;w=7200',
      '"5-in-2hrs";r=4;t=7200',
      null,
    ]);
  });
  await t.step("five limits, in the order of the rule", async () => {
    const { get } = serve({
      "1-in-5sec": { limit: 1, window: 5 },
      "5-in-1min": { limit: 5, window: "1m" },
      "6-in-1hr": { limit: 6, window: "1h" },
      "7-in-1day": { limit: 7, window: "1d" },
      "8-in-2days": { limit: 8, window: "2d" },
    });
    assertEquals(headers(await get(), "RateLimit-Policy", "RateLimit"), [
      '"1-in-5sec";q=1;w=5, "5-in-1min";q=5;w=60, "6-in-1hr";q=6;w=3600, "7-in-1day";q=7;w=86400, "8-in-2days";q=8;w=172800',
      '"1-in-5sec";r=0;t=5, "5-in-1min";r=4;t=60, "6-in-1hr";r=5;t=3600, "7-in-1day";r=6;t=86400, "8-in-2days";r=7;t=172800',
    ]);
    const refused = await get();
    assertEquals([refused.status, ...headers(refused, "Retry-After", "RateLimit")], [
      429,
      "5",
      '"1-in-5sec";r=0;t=5, "5-in-1min";r=4;t=60, "6-in-1hr";r=5;t=3600, "7-in-1day";r=6;t=86400, "8-in-2days";r=7;t=172800',
    ]);
  });
  await t.step("a name of one's own, with every kind of character", async () => {
    const { get } = serve({ "keep-kalm_1.0": { limit: 5, window: "2h" } });
    assertEquals(headers(await get(), "RateLimit"), ['"keep-kalm_1.0";r=4;t=7200']);
  });
  await t.step("what is left counts down, and stays 0", async () => {
    const { get } = serve({ MAIL: { limit: 2, window: "1m" } });
    const left: unknown[] = [];
    for (let i = 0; i < 4; i++) left.push(parseList((await get()).headers.get("RateLimit")!)[0]![1].get("r"));
    assertEquals(left, [1, 0, 0, 0]);
  });
  await t.step("0 seconds when nothing counts any more", async () => {
    const { get, clock, limiter } = serve({ MAIL: { limit: 2, window: "1m" } });
    await get();
    clock.pass(60_000);
    const fields = new Headers();
    (await limiter.peek("MAIL", "203.0.113.9")).headers(fields);
    assertEquals([fields.get("RateLimit"), fields.get("Retry-After")], ['"MAIL";r=2;t=0', null]);
  });
  await t.step("no ids and nothing made of them", async () => {
    for (const id of ['"a";r=999', 'x", "API', "a,b;c=d", "ä", ":pk:"]) {
      const { get } = serve({ MAIL: { limit: 1, window: "1m" } }, {}, { limits: "MAIL", by: () => id });
      for (const response of [await get(), await get()]) {
        assertEquals(parseList(response.headers.get("RateLimit")!).map(([name]) => name), ["MAIL"]);
        const all = JSON.stringify([...response.headers]) + await response.text();
        assert(!all.includes(id) && !all.includes(JSON.stringify(id).slice(1, -1)), id);
      }
    }
  });
});

Deno.test("RateLimiter.guard() serves Retry-After with refusals alone", async (t) => {
  for (const legacyHeaders of ["epoch", "delta", false] as const) {
    await t.step(String(legacyHeaders), async () => {
      const { get, clock } = serve({ ONCE: { limit: 1, window: "1m" } }, { legacyHeaders });
      assertEquals(headers(await get(), "Retry-After"), [null]);
      const refused = await get();
      assertEquals([refused.status, ...headers(refused, "Retry-After", "Cache-Control")], [429, "60", "no-store"]);
      clock.pass(59_001);
      assertEquals(headers(await get(), "Retry-After"), ["1"]);
      clock.pass(998);
      assertEquals([(await get()).status, ...headers(await get(), "Retry-After")], [429, "1"]);
      clock.pass(1);
      assertEquals(headers(await get(), "Retry-After"), [null]);
    });
  }
});

Deno.test("RateLimiter.guard() serves X-RateLimit headers that a client of them can read", async (t) => {
  await t.step("limit, rest, and the time in seconds since 1970", async () => {
    const { get } = serve({ MAIL: { limit: 5, window: "1m" } });
    const before = Math.ceil(Date.now() / 1000) + 60;
    const response = await get();
    const [limit, left, reset] = headers(response, "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset");
    assertEquals([limit, left], ["5", "4"]);
    assert(/^\d{10}$/.test(reset!) && Number(reset) >= before && Number(reset) <= before + 1, reset!);
  });
  await t.step("of several limits those of the tightest", async () => {
    const { get } = serve({ WIDE: { limit: 50, window: "1h" }, TIGHT: { limit: 5, window: "1m" } }, {
      legacyHeaders: "delta",
    });
    const response = await get();
    assertEquals(headers(response, "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"), [
      "5",
      "4",
      "60",
    ]);
  });
  await t.step("none of an older draft", async () => {
    const { get } = serve({ MAIL: { limit: 5, window: "1m" } });
    const names = [...(await get()).headers.keys()].filter((name) => name.includes("ratelimit"));
    assertEquals(names, [
      "ratelimit",
      "ratelimit-policy",
      "x-ratelimit-limit",
      "x-ratelimit-remaining",
      "x-ratelimit-reset",
    ]);
  });
});
