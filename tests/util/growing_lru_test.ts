import { assertEquals } from "@std/assert";
import { growingLru } from "../../src/util/growing_lru.ts";

Deno.test("growingLru() forgets by the clock, and leaves no timer behind when it was asked", () => {
  const known = growingLru<true>(10, { ttl: 60_000 });
  known.set("a", true);
  assertEquals([known.has("a"), known.has("b")], [true, false]);
});
