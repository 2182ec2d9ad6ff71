import { assertEquals } from "@std/assert";
import { nearestName } from "../src/nearest_name.ts";

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
