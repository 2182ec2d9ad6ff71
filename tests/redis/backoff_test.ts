import { assert, assertEquals } from "@std/assert";
import { reconnectDelay } from "../../src/redis/backoff.ts";

Deno.test("reconnectDelay() doubles from 100 ms to 5 s, half of it by chance", () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => reconnectDelay(attempt, () => 1));
  assertEquals(longest, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  const shortest = [0, 1, 6, 1000].map((attempt) => reconnectDelay(attempt, () => 0));
  assertEquals(shortest, [50, 100, 2500, 2500]);
});

Deno.test("reconnectDelay() spreads processes over the wait", () => {
  const waits = Array.from({ length: 100 }, () => reconnectDelay(6));
  assert(waits.every((wait) => wait >= 2500 && wait <= 5000));
  assert(new Set(waits.map(Math.round)).size > 50, "no two processes should wait the same");
});
