import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { SlotOwners } from "../../../src/redis/cluster/slot_owners.ts";

const all = (owner: string) => [{ first: 0, last: 16_383, owner }];

Deno.test("SlotOwners keeps what the owner before has pointed to, while others have not heard of it", () => {
  using time = new FakeTime();
  const now = performance.now;
  performance.now = () => Date.now();
  try {
    const slots = new SlotOwners(() => {});
    slots.replace(all("a"));
    slots.set(7, "b");
    slots.replace(all("a")); // of a node that has not heard of it
    assertEquals([slots.of(7), slots.of(8)], ["b", "a"]);
    time.tick(2001);
    slots.replace(all("a")); // it has come back
    assertEquals(slots.of(7), "a");
  } finally {
    performance.now = now;
  }
});

Deno.test("SlotOwners follows at once to an owner that nobody has named before", () => {
  const slots = new SlotOwners(() => {});
  slots.replace(all("a"));
  slots.set(7, "b");
  slots.replace(all("c")); // b has failed meanwhile
  assertEquals(slots.of(7), "c");
});

Deno.test("SlotOwners is not taken back by a node that has not heard of the move another one told of", () => {
  using time = new FakeTime();
  const now = performance.now;
  performance.now = () => Date.now();
  try {
    let changes = 0;
    const down = new Set<string>();
    const slots = new SlotOwners(() => void changes++, (owner) => !down.has(owner));
    slots.replace(all("a"));
    slots.use(7, "a");
    slots.replace(all("b"));
    slots.replace(all("a")); // of a node that has not heard of it
    assertEquals([slots.of(7), slots.of(8), changes], ["b", "b", 1]);
    down.add("b"); // there is nothing to lose
    slots.replace(all("a"));
    assertEquals([slots.of(7), changes], ["a", 2]);
    time.tick(2001);
    down.clear();
    slots.replace(all("b"));
    time.tick(2001);
    slots.replace(all("a")); // it has come back
    assertEquals(slots.of(7), "a");
    slots.set(7, "b"); // a itself says so
    assertEquals([slots.of(7), slots.of(8)], ["b", "a"]);
  } finally {
    performance.now = now;
  }
});
