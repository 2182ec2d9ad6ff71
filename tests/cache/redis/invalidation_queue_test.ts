import { assertEquals } from "@std/assert";
import { InvalidationQueue } from "../../../src/cache/redis/invalidation_queue.ts";

function content({ keys, tags, patterns, all }: InvalidationQueue): unknown {
  return { keys: [...keys], hard: [...tags.hard], stale: [...tags.stale], patterns: [...patterns], all };
}

const EMPTY = { keys: [], hard: [], stale: [], patterns: [], all: false };

Deno.test("InvalidationQueue.add() keeps each once", () => {
  const queue = new InvalidationQueue();
  queue.add({ keys: ["a", "b"] });
  queue.add({ keys: ["b"], tags: ["t"], patterns: ["x*"] });
  queue.add({ tags: ["t", "u"], mode: "stale" });
  assertEquals(content(queue), { keys: ["a", "b"], hard: ["t"], stale: ["t", "u"], patterns: ["x*"], all: false });
  assertEquals(queue.size, 6);
});

Deno.test("InvalidationQueue.take() hands over all, and what comes later is kept apart", () => {
  const queue = new InvalidationQueue();
  queue.add({ keys: ["a"], tags: ["t"], mode: "hard", patterns: ["p"] });
  queue.add({ tags: ["s"], mode: "stale" });
  const taken = queue.take();
  assertEquals([queue.size, content(queue)], [0, EMPTY]);
  queue.add({ keys: ["b"] });
  assertEquals(content(taken), { keys: ["a"], hard: ["t"], stale: ["s"], patterns: ["p"], all: false });
  assertEquals(content(queue), { ...EMPTY, keys: ["b"] });
});

Deno.test("InvalidationQueue.putBack() loses neither what it had nor what came meanwhile", () => {
  const queue = new InvalidationQueue();
  queue.add({ keys: ["a"], tags: ["t"], patterns: ["p"] });
  queue.add({ tags: ["s"], mode: "stale" });
  const taken = queue.take();
  queue.add({ keys: ["a", "b"], tags: ["s"], mode: "stale" });
  queue.putBack(taken);
  assertEquals(content(queue), { keys: ["a", "b"], hard: ["t"], stale: ["s"], patterns: ["p"], all: false });
});

Deno.test("InvalidationQueue.addAll() stands for all others, before and after", () => {
  const queue = new InvalidationQueue();
  queue.add({ keys: ["a"] });
  queue.addAll();
  queue.add({ keys: ["b"], tags: ["t"] });
  assertEquals([content(queue), queue.size], [{ ...EMPTY, all: true }, 1]);
  const taken = queue.take();
  assertEquals([queue.all, taken.all], [false, true]);
  queue.add({ keys: ["c"] });
  queue.putBack(taken);
  assertEquals(content(queue), { ...EMPTY, all: true });
});

Deno.test("InvalidationQueue becomes one invalidation of everything when it would grow without end", () => {
  const queue = new InvalidationQueue();
  queue.add({ keys: Array.from({ length: 5000 }, (_, i) => `${i}`) });
  queue.add({ tags: Array.from({ length: 5000 }, (_, i) => `${i}`), mode: "stale" });
  assertEquals([queue.size, queue.all], [10_000, false]);
  queue.add({ patterns: ["p"] });
  assertEquals(content(queue), { ...EMPTY, all: true });
});
