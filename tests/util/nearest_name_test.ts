import { assertEquals } from "@std/assert";
import { nearestName, nearName } from "../../src/util/nearest_name.ts";

Deno.test("nearestName() finds the name with the fewest slips", () => {
  const known = ["ttl", "tags", "staleIfError", "staleWhileRevalidate", "url", "cacheUrl"];
  const cases = [
    ["tll", "ttl"],
    ["tlt", "ttl"],
    ["TAGS", "tags"],
    ["stale_if_error", "staleIfError"],
    ["staleWhileRevalidation", "staleWhileRevalidate"],
    ["cachUrl", "cacheUrl"],
    ["ulr", "url"],
    ["", "ttl"],
    ["x".repeat(1_000_000), "ttl"],
  ];
  for (const [name, nearest] of cases) assertEquals(nearestName(name!, known), nearest, name!.slice(0, 20));
});

Deno.test("nearName() names only what is near", () => {
  const known = ["ttl", "tags", "staleIfError", "staleWhileRevalidate", "url", "cacheUrl", "maxBytes", "retryAfter"];
  const cases: [string, string | undefined][] = [
    ["tll", "ttl"],
    ["TTL", "ttl"],
    ["tag", "tags"],
    ["ttlSeconds", "ttl"],
    ["ttl_in_ms", "ttl"],
    ["cacheTtl", "ttl"],
    ["stale_if_error", "staleIfError"],
    ["staleWhileRevalidation", "staleWhileRevalidate"],
    ["swr", "staleWhileRevalidate"],
    ["expiresIn", "ttl"],
    ["EX", "ttl"],
    ["redisUrl", "url"],
    ["bytes", "maxBytes"],
    ["retry", "retryAfter"],
    ["maxRetries", undefined],
    ["max", undefined],
    ["", undefined],
    ["banana", undefined],
    ["constructor", undefined],
    ["__proto__", undefined],
    ["x".repeat(1_000_000), undefined],
  ];
  for (const [name, near] of cases) assertEquals(nearName(name, known), near, name.slice(0, 20));
  assertEquals(nearName("ttl", []), undefined);
  assertEquals(nearName("expiresIn", ["signal"]), undefined);
});
