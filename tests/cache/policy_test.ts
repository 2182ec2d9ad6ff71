import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { lifetimeOf, policyOf, ttlOf } from "../../src/cache/policy.ts";

const NONE = { staleWhileRevalidate: 0, staleIfError: 0, jitter: 0 };

Deno.test("policyOf() fills in what is not given", () => {
  assertEquals(policyOf({}), { ttl: 3_600_000, ...NONE });
  const defaults = policyOf({ ttl: "5m", staleWhileRevalidate: 10, jitter: 0.5 });
  assertEquals(defaults, { ttl: 300_000, staleWhileRevalidate: 10_000, staleIfError: 0, jitter: 0.5 });
  assertStrictEquals(policyOf({}, defaults), defaults);
  assertEquals(policyOf({ staleIfError: "1d", jitter: 0 }, defaults), {
    ttl: 300_000,
    staleWhileRevalidate: 10_000,
    staleIfError: 86_400_000,
    jitter: 0,
  });
  assertEquals(policyOf({ ttl: undefined, staleIfError: 1 }, defaults).ttl, 300_000);
});

Deno.test("policyOf() takes a ttl of 0 as for ever, and no other duration", () => {
  assertEquals(policyOf({ ttl: 0, staleWhileRevalidate: 0, staleIfError: "0s" }), { ttl: Infinity, ...NONE });
  assertEquals([ttlOf(0), ttlOf("0ms"), ttlOf(0.0001)], [Infinity, Infinity, 1]);
});

Deno.test("policyOf() refuses what is no duration or share", () => {
  for (const name of ["ttl", "staleWhileRevalidate", "staleIfError"]) {
    assertThrows(() => policyOf({ [name]: -1 }), RangeError, `"${name}"`);
    assertThrows(() => policyOf({ [name]: "x" }), TypeError, `"${name}"`);
  }
  for (const jitter of [-0.01, 1.01, NaN]) assertThrows(() => policyOf({ jitter }), RangeError, '"jitter"');
  assertThrows(() => policyOf({ jitter: true as unknown as number }), TypeError, '"jitter"');
});

Deno.test("lifetimeOf() counts the windows from the end of freshness, none shorter than the one before", () => {
  const times = (options: Parameters<typeof policyOf>[0]) => Object.values(lifetimeOf(policyOf(options)));
  assertEquals(times({ ttl: 10 }), [10_000, 10_000, 10_000]);
  assertEquals(times({ ttl: 10, staleWhileRevalidate: 20, staleIfError: 60 }), [10_000, 30_000, 70_000]);
  assertEquals(times({ ttl: 10, staleWhileRevalidate: 20, staleIfError: 5 }), [10_000, 30_000, 30_000]);
  assertEquals(times({ ttl: 10, staleIfError: 5 }), [10_000, 10_000, 15_000]);
  assertEquals(times({ ttl: 0, staleWhileRevalidate: 20, staleIfError: 60 }), [Infinity, Infinity, Infinity]);
});

Deno.test("lifetimeOf() shortens the ttl by a share drawn at random, and keeps the windows", () => {
  const policy = policyOf({ ttl: 10, staleWhileRevalidate: 20, staleIfError: 60, jitter: 0.3 });
  const drawn = (value: number) => Object.values(lifetimeOf(policy, () => value));
  assertEquals(drawn(0), [10_000, 30_000, 70_000]);
  assertEquals(drawn(0.5), [8500, 28_500, 68_500]);
  assertEquals(drawn(1), [7000, 27_000, 67_000]);
  assertEquals(lifetimeOf(policyOf({ ttl: 10, jitter: 1 }), () => 1).fresh, 1);
  assertEquals(lifetimeOf(policyOf({ ttl: 0, jitter: 1 }), () => 1).fresh, Infinity);
});
