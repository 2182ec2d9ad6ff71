import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import type { LarderEvent } from "../../src/observe/events.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import { TestClock } from "./stores.ts";

const ADDRESS = "203.0.113.9";
const PEER = { remoteAddr: { hostname: ADDRESS } };
const hello = () => new Response("hello");

function open(maxEntries: number) {
  const clock = new TestClock();
  const events: LarderEvent[] = [];
  const store = new MemoryLimitStore({ now: clock.now, maxEntries, on: (event) => void events.push(event) });
  return { clock, events, store, limiter: new RateLimiter(store) };
}

Deno.test("MemoryLimitStore drops ids that callers make up, and keeps the counts of addresses and users", async (t) => {
  const sources = {
    "header": { by: "header:x-api-key" },
    "function": { by: (request: Request) => request.headers.get("x-api-key") ?? undefined },
  } as const;
  for (const [name, { by }] of Object.entries(sources)) {
    await t.step(`by ${name}`, async () => {
      const { limiter, store, events } = open(1000);
      const user = () => "ada";
      const login = limiter.guard({ "*": ["AUTH", { limits: "AUTH", by: "user" }] }, hello, { user });
      const api = limiter.guard({ "*": { limits: "API", by } }, hello);
      for (let i = 0; i < 5; i++) await login(new Request("http://localhost/"), PEER);
      for (let i = 0; i < 3000; i++) {
        await api(new Request("http://localhost/", { headers: { "x-api-key": `key ${i}` } }), PEER);
      }
      assertEquals((await login(new Request("http://localhost/"), PEER)).status, 429);
      for (const id of [ADDRESS, "user:ada"]) assertEquals((await limiter.peek("AUTH", id)).remaining, 0);
      assertEquals([store.size, events], [1000, []]);
    });
  }
});

Deno.test("MemoryLimitStore drops what counts no more before anything else", async () => {
  const { limiter, store, clock, events } = open(1000);
  await limiter.check("AUTH", ADDRESS, { cost: 5 });
  for (let i = 0; i < 999; i++) await limiter.check("DEFAULT", `old ${i}`);
  clock.pass(60_000); // those are over, while AUTH lasts five minutes
  for (let i = 0; i < 999; i++) await limiter.check("DEFAULT", `new ${i}`);
  assertEquals([(await limiter.peek("AUTH", ADDRESS)).remaining, events], [0, []]);
  assertEquals((await limiter.peek("DEFAULT", "new 0")).remaining, 99);
  assertEquals(store.size, 1000);
});

Deno.test("MemoryLimitStore tells, once a minute, when counts in use have to go", async () => {
  const { limiter, store, clock, events } = open(100);
  for (let i = 0; i < 300; i++) await limiter.check("API", `198.51.100.${i}`);
  assertEquals([store.size, events.map(({ type }) => type)], [100, ["warning"]]);
  const [event] = events;
  assertMatch(event!.type === "warning" ? event.message : "", /in use were dropped, since there are more than 100/);
  assertEquals((await limiter.peek("API", "198.51.100.299")).remaining, 999);
  assertEquals((await limiter.peek("API", "198.51.100.0")).remaining, 1000);
  clock.pass(60_000);
  for (let i = 300; i < 500; i++) await limiter.check("API", `198.51.100.${i}`);
  assertEquals(events.length, 2);
});

Deno.test("MemoryLimitStore makes room in a time that does not grow with what it holds", async () => {
  const { limiter, store } = open(20_000);
  const fill = async (from: number, to: number) => {
    const start = performance.now();
    for (let i = from; i < to; i++) await limiter.check("API", `header:x:${i}`);
    return performance.now() - start;
  };
  const free = await fill(0, 20_000);
  const full = await fill(20_000, 40_000);
  assertEquals(store.size, 20_000);
  assertGreater(free, 0);
  // To look at all of them each time would take thousands of times as long.
  assertLess(full, 100 * free + 1000);
});
