/**
 * Types that callers rely on. Most of what is asserted here is asserted when it is checked, not when it is run.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect, type Larder, type RateLimiter, type RateLimitResult } from "../../mod.ts";

/** Whether two types are the same, as opposed to assignable. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Does not compile unless the type of the value is the one named. */
function is<Wanted>(): <Actual>(value: Actual, same: Same<Actual, Wanted>) => void {
  return () => {};
}

const hello = () => new Response("hello");

Deno.test("RateLimiter knows its names: a typo does not compile", async () => {
  await using redis = await connect({ url: "memory:" });
  const { rateLimit } = redis;
  is<RateLimitResult>()(await rateLimit.check("AUTH", "a"), true);
  for (const name of ["DEFAULT", "API", "AUTH", "STATIC"] as const) await rateLimit.peek(name, "a");
  // @ts-expect-error: a typo
  await assertRejects(() => rateLimit.check("AUHT", "a"), TypeError);
  // @ts-expect-error: not defined
  await assertRejects(() => rateLimit.peek("UPLOAD", "a"), TypeError);
  // @ts-expect-error: a typo
  await assertRejects(() => rateLimit.checkAll([["API", "a"], ["STATC", "a"]]), TypeError);
  // @ts-expect-error: a typo
  assertThrows(() => rateLimit.guard({ "*": "DEFALT" }, hello), TypeError);
  // @ts-expect-error: a typo
  assertThrows(() => rateLimit.guard({ "*": { limits: ["API", "DEFALT"] } }, hello), TypeError);
  // @ts-expect-error: no such way to tell callers apart
  assertThrows(() => rateLimit.guard({ "*": { limits: "API", by: "cookie" } }, hello), TypeError);
  // @ts-expect-error: no such algorithm
  assertThrows(() => rateLimit.define("X", { limit: 1, window: 1, algorithm: "exakt" }), TypeError);
});

Deno.test("RateLimiter knows the names that it is told", async () => {
  await using redis = await connect({
    url: "memory:",
    rateLimit: { presets: { UPLOAD: { limit: 2, window: "1h" }, AUTH: { limit: 3, window: "10m" } } },
  });
  await redis.rateLimit.check("UPLOAD", "a");
  await redis.rateLimit.check("STATIC", "a");
  // @ts-expect-error: a typo
  await assertRejects(() => redis.rateLimit.check("UPLAOD", "a"), TypeError);
  const more = redis.rateLimit.define("EXPORT", { limit: 1, window: "1d" });
  assertEquals((await more.check("EXPORT", "a")).allowed, true);
  await more.check("UPLOAD", "a");
  // @ts-expect-error: a typo
  await assertRejects(() => more.check("EXPROT", "a"), TypeError);
});

Deno.test("connect() is told the names of limits beside the data of sessions", async () => {
  await using redis = await connect<{ session: { theme?: string }; limit: "UPLOAD" }>({ url: "memory:" });
  redis.rateLimit.define("UPLOAD", { limit: 2, window: "1h" });
  await redis.rateLimit.check("UPLOAD", "a");
  const takes = (larder: Larder, limiter: RateLimiter) => [larder, limiter].length;
  await using plain = await connect({ url: "memory:", rateLimit: { presets: { X: { limit: 2, window: 1 } } } });
  assertEquals(takes(plain, plain.rateLimit), 2);
});
