import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { InvalidationReplica, type Judged } from "../../src/cache/invalidations.ts";

/** What is known of a store whose first life is 1, from the clock 100 on. */
function known(options?: { kept?: number }): InvalidationReplica {
  const invalidations = new InvalidationReplica(options);
  invalidations.restart(1, 100, 50);
  return invalidations;
}

function entry(asOf: number, ...tags: string[]): Judged {
  return { epoch: 1, asOf, tags };
}

Deno.test("InvalidationReplica.judge() takes what is newer than every invalidation as valid without a look at its tags", () => {
  const invalidations = known();
  const unread: Judged = {
    epoch: 1,
    asOf: 60,
    get tags(): never {
      throw new Error("read");
    },
  };
  assertEquals(invalidations.judge("a", unread), "valid");
});

Deno.test("InvalidationReplica.judge() compares an entry with the newest invalidation of its tags", () => {
  const invalidations = known();
  invalidations.addTag("t", "hard", 200);
  invalidations.addTag("s", "stale", 300);
  assertEquals(invalidations.judge("a", entry(150, "x", "t")), "invalid");
  assertEquals(invalidations.judge("a", entry(200, "t")), "invalid");
  assertEquals(invalidations.judge("a", entry(201, "t")), "valid");
  assertEquals(invalidations.judge("a", entry(201, "t", "s")), "stale");
  assertEquals(invalidations.judge("a", entry(150, "s", "t")), "invalid");
  assertEquals(invalidations.judge("a", entry(150, "x")), "valid");
  assertEquals(invalidations.judge("a", entry(150)), "valid");
  assertEquals(invalidations.judge("a", entry(400, "s")), "valid");
});

Deno.test("InvalidationReplica.judge() knows nothing of what happened before, unless the store has looked", () => {
  const invalidations = known();
  invalidations.addTag("t", "hard", 200);
  assertEquals(invalidations.judge("a", entry(40, "x")), "unknown");
  assertEquals(invalidations.judge("a", entry(100, "x")), "unknown");
  assertEquals(invalidations.judge("a", entry(40)), "valid");
  assertEquals(invalidations.judge("a", entry(40, "x"), { hard: 0, stale: 0 }), "valid");
  assertEquals(invalidations.judge("a", entry(40, "x"), { hard: 30, stale: 45 }), "stale");
  assertEquals(invalidations.judge("a", entry(40, "x"), { hard: 40, stale: 0 }), "invalid");
  // What this process has heard of since the store looked counts too.
  assertEquals(invalidations.judge("a", entry(40, "t"), { hard: 0, stale: 0 }), "invalid");
});

Deno.test("InvalidationReplica.judge() hides all that a pattern matches and that is as old", () => {
  const invalidations = known();
  invalidations.addBarrier("user:*", 200);
  invalidations.addBarrier("org:?", 300);
  assertEquals(invalidations.judge("user:1", entry(200)), "invalid");
  assertEquals(invalidations.judge("user:1", entry(201)), "valid");
  assertEquals(invalidations.judge("org:1", entry(250)), "invalid");
  assertEquals(invalidations.judge("user:1", entry(250)), "valid");
  assertEquals(invalidations.judge("other", entry(150)), "valid");
  invalidations.addBarrier("user:*", 400);
  assertEquals(invalidations.judge("user:1", entry(250)), "invalid");
  invalidations.addBarrier("user:*", 350);
  assertEquals(invalidations.judge("user:1", entry(400)), "invalid");
});

Deno.test("InvalidationReplica.judge() takes entries of another epoch as invalid", () => {
  const invalidations = known();
  assertEquals(invalidations.judge("a", { epoch: 2, asOf: 1000, tags: [] }), "invalid");
  invalidations.restart(2, 500, 0);
  assertEquals(invalidations.judge("a", entry(1000)), "invalid");
  assertEquals(invalidations.judge("a", { epoch: 2, asOf: 1000, tags: [] }), "valid");
});

Deno.test("InvalidationReplica.addTag() never goes back", () => {
  const invalidations = known();
  invalidations.addTag("t", "hard", 300);
  invalidations.addTag("t", "hard", 200);
  assertEquals(invalidations.judge("a", entry(250, "t")), "invalid");
  assertEquals(invalidations.newest, 300);
});

Deno.test("Invalidations forgets the oldest when there are many, and says that it does not know", () => {
  const invalidations = known({ kept: 100 });
  for (let i = 0; i < 250; i++) invalidations.addTag(`${i}`, i % 2 === 0 ? "hard" : "stale", 200 + i);
  assertLessOrEqual(invalidations.size, 200);
  for (let i = 0; i < 250; i++) {
    const verdict = invalidations.judge("a", entry(200 + i, `${i}`));
    assert(verdict === "unknown" || verdict === (i % 2 === 0 ? "invalid" : "stale"), `${i} ${verdict}`);
  }
  assertEquals(invalidations.judge("a", entry(449, "249")), "stale");
  assertEquals(invalidations.judge("a", entry(150, "never")), "unknown");
  assertEquals(invalidations.judge("a", entry(448, "never")), "valid");
});

Deno.test("Invalidations keeps patterns within bounds by starting over", () => {
  const invalidations = known();
  for (let i = 0; i <= 2000; i++) invalidations.addBarrier(`${i}`, 200 + i);
  assertEquals([invalidations.epoch, invalidations.judge("a", entry(5000))], [0, "invalid"]);
});
