import { assert, assertEquals, assertRejects } from "@std/assert";
import { UnavailableError } from "../../../src/errors.ts";
import type { Case } from "./harness.ts";
import { INVALIDATIONS, lease } from "./store_leases.ts";
import { entryOf, look } from "./store_reads.ts";

const HOUR = 3_600_000;

/** Keys for patterns, and which of them each pattern takes. */
const KEYS = [
  "user:1",
  "user:2",
  "user:10",
  "users",
  "org:1:user:1",
  "a*c",
  "abc",
  "a?c",
  "[x]",
  "x",
  "日本",
  "{a}",
  "a\\c",
];
const PATTERNS: readonly (readonly [string, readonly string[]])[] = [
  ["user:*", ["user:1", "user:2", "user:10"]],
  ["user:?", ["user:1", "user:2"]],
  ["user:[12]", ["user:1", "user:2"]],
  ["user:[^1]", ["user:2"]],
  ["*user:1", ["user:1", "org:1:user:1"]],
  ["a*c", ["a*c", "abc", "a?c", "a\\c"]],
  ["a\\*c", ["a*c"]],
  ["a\\?c", ["a?c"]],
  ["\\[x\\]", ["[x]"]],
  ["[x]", ["x"]],
  ["{*}", ["{a}"]],
  ["日*", ["日本"]],
  ["user", []],
  ["*nothing*", []],
  ["*", KEYS],
];

export const storeInvalidations: Readonly<Record<string, Case>> = {
  "invalidateKeys() removes what is there, and counts what could have been served": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    const windows = { fresh: 10_000, stale: 30_000, error: 70_000 };
    await store.write("expired", entryOf("1", windows));
    await advance(25_000);
    await store.write("stale", entryOf("1", windows));
    await store.write("over", entryOf("1", { fresh: 5000 }));
    await advance(15_000);
    await store.write("fresh", entryOf("1", windows));
    await store.write("tagged", entryOf("1", { tags: ["t"] }));
    await store.write("kept", entryOf("1", { tags: ["s"] }));
    await store.read("lease", { lease: 10_000 });
    await other.invalidateTags(["t"], "hard");
    await other.invalidateTags(["s"], "stale");
    for (
      const [keys, removed] of [
        [["fresh", "fresh"], 1],
        [["stale"], 1],
        [["expired"], 1],
        [["kept"], 1],
        [["over"], 0],
        [["tagged"], 0],
        [["lease"], 0],
        [["absent"], 0],
        [["fresh", "stale", "expired", "kept"], 0],
        [[], 0],
      ] as const
    ) {
      assertEquals(await other.invalidateKeys(keys), { status: "done", removed }, keys.join());
    }
    for (const key of ["fresh", "stale", "expired", "kept"]) assertEquals(await look(store, key), "none");
  },

  "invalidateKeys() takes any number of keys": async ({ open }) => {
    const store = await open();
    const keys = Array.from({ length: 1201 }, (_, i) => `key:${i}`);
    await Promise.all(keys.map((key) => store.write(key, entryOf(key))));
    assertEquals(await store.invalidateKeys(keys.slice(1)), { status: "done", removed: 1200 });
    const states = await Promise.all(keys.map((key) => look(store, key)));
    assertEquals(states, keys.map((key, i) => i === 0 ? `fresh ${key}` : "none"));
  },

  "invalidateTags() hides all that has one of them, in every process": async ({ open }) => {
    const stores = [await open(), await open()];
    const store = stores[0]!;
    const write = async () => {
      await store.write("a", entryOf("a", { tags: ["t"] }));
      await store.write("b", entryOf("b", { tags: ["x", "t", "y"] }));
      await store.write("c", entryOf("c", { tags: ["x"] }));
      await store.write("d", entryOf("d"));
    };
    const seen = () => Promise.all(stores.map((by) => Promise.all(["a", "b", "c", "d"].map((key) => look(by, key)))));
    await write();
    assertEquals(await seen(), Array(2).fill(["fresh a", "fresh b", "fresh c", "fresh d"]));
    assertEquals((await stores[1]!.invalidateTags(["t"], "hard")).status, "done");
    assertEquals(await seen(), Array(2).fill(["none", "none", "fresh c", "fresh d"]));
    await write();
    assertEquals(await seen(), Array(2).fill(["fresh a", "fresh b", "fresh c", "fresh d"]));
    await stores[1]!.invalidateTags(["y", "x", "z"], "hard");
    assertEquals(await seen(), Array(2).fill(["fresh a", "none", "none", "fresh d"]));
  },

  "invalidateTags() with `stale` has all that has one of them refreshed": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    await store.write("a", entryOf("a", { fresh: 10_000, stale: 30_000, error: 70_000, tags: ["t"] }));
    await store.write("b", entryOf("b", { tags: ["x"] }));
    await other.invalidateTags(["t", "u"], "stale");
    assertEquals([await look(store, "a"), await look(store, "b")], ["stale a", "fresh b"]);
    assertEquals(await look(other, "a"), "stale a");
    await advance(35_000);
    assertEquals(await look(store, "a"), "expired a");
    await advance(40_000);
    assertEquals(await look(store, "a"), "none");
    await store.write("a", entryOf("new", { tags: ["t"] }));
    assertEquals(await look(other, "a"), "fresh new");
  },

  "invalidateTags() in one mode does not take back the other": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    for (const modes of [["hard", "stale"], ["stale", "hard"]] as const) {
      await store.write("a", entryOf("a", { tags: ["t", "u"] }));
      for (const mode of modes) await other.invalidateTags(["t"], mode);
      assertEquals(await look(store, "a"), "none");
      await store.write("a", entryOf("a", { tags: ["t", "u"] }));
      await other.invalidateTags([modes[0] === "hard" ? "t" : "u"], modes[0]);
      await other.invalidateTags([modes[1] === "hard" ? "t" : "u"], modes[1]);
      assertEquals(await look(store, "a"), "none");
    }
  },

  "invalidateTags() takes any number of tags": async ({ open }) => {
    const store = await open();
    const tags = Array.from({ length: 2500 }, (_, i) => `tag:${i}`);
    for (const i of [0, 999, 1000, 2499]) await store.write(`${i}`, entryOf("1", { tags: [tags[i]!] }));
    await store.write("other", entryOf("1", { tags: ["tag"] }));
    await store.invalidateTags(tags, "hard");
    const states = await Promise.all(["0", "999", "1000", "2499", "other"].map((key) => look(store, key)));
    assertEquals(states, ["none", "none", "none", "none", "fresh 1"]);
    await store.invalidateTags([], "hard");
    assertEquals(await look(store, "other"), "fresh 1");
  },

  "invalidateTags() is heard of by a process that was busy with something else": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    await store.write("a", entryOf("a", { tags: ["t"] }));
    await store.write("b", entryOf("b", { tags: ["u"] }));
    assertEquals(await look(other, "a"), "fresh a");
    for (let i = 0; i < 1100; i += 100) {
      const tags = Array.from({ length: 100 }, (_, j) => `${i + j}`);
      await store.invalidateTags(i === 500 ? [...tags, "t"] : tags, "hard");
    }
    assertEquals([await look(other, "a"), await look(other, "b")], ["none", "fresh b"]);
  },

  "invalidatePattern() removes exactly what matches": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    for (const [glob, matching] of PATTERNS) {
      await Promise.all(KEYS.map((key) => store.write(key, entryOf(key))));
      const told: number[] = [];
      const result = await other.invalidatePattern(glob, { onProgress: (removed) => told.push(removed) });
      assertEquals(result, { status: "done", removed: matching.length }, glob);
      assertEquals(told.at(-1) ?? 0, matching.length);
      assertEquals(told, told.toSorted((a, b) => a - b));
      const states = await Promise.all(KEYS.map((key) => look(store, key)));
      assertEquals(states, KEYS.map((key) => matching.includes(key) ? "none" : `fresh ${key}`), glob);
    }
  },

  "invalidatePattern() counts what could have been served": async ({ open, advance }) => {
    const store = await open();
    await store.write("p:over", entryOf("1", { fresh: 1000 }));
    await store.write("p:expired", entryOf("1", { fresh: 1000, error: HOUR }));
    await store.write("p:tagged", entryOf("1", { tags: ["t"] }));
    await store.write("p:fresh", entryOf("1"));
    await store.read("p:lease", { lease: 10_000 });
    await advance(2000);
    await store.invalidateTags(["t"], "hard");
    assertEquals(await store.invalidatePattern("p:*"), { status: "done", removed: 2 });
    assertEquals(await store.invalidatePattern("p:*"), { status: "done", removed: 0 });
  },

  "invalidatePattern() hides nothing that is written after it": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    for (let i = 0; i < 3; i++) {
      await store.write("user:1", entryOf(`${i}`));
      assertEquals(await look(other, "user:1"), `fresh ${i}`);
      await other.invalidatePattern("user:*");
      assertEquals([await look(store, "user:1"), await look(other, "user:1")], ["none", "none"]);
    }
    const fence = await lease(store, "user:1");
    assertEquals(await store.write("user:1", entryOf("loaded"), fence), true);
    assertEquals(await look(other, "user:1"), "fresh loaded");
  },

  "invalidatePattern() takes any number of entries": async ({ open }) => {
    const store = await open();
    const keys = Array.from({ length: 2500 }, (_, i) => `key:${i}`);
    await Promise.all(keys.map((key) => store.write(key, entryOf(key))));
    await store.write("other", entryOf("1"));
    assertEquals((await store.invalidatePattern("key:*")).removed, 2500);
    const states = await Promise.all([...keys, "other"].map((key) => look(store, key)));
    assertEquals(states.filter((state) => state !== "none"), ["fresh 1"]);
  },

  "clear() hides everything, in every process": async ({ open }) => {
    const stores = [await open(), await open(), await open()];
    for (let i = 0; i < 3; i++) {
      const store = stores[i]!;
      await store.write("a", entryOf("a", { tags: ["t"], fresh: Infinity }));
      await store.write("b", entryOf("b"));
      assertEquals(await look(stores[(i + 1) % 3]!, "a"), "fresh a");
      assertEquals((await store.clear()).status, "done");
      for (const by of stores) assertEquals([await look(by, "a"), await look(by, "b")], ["none", "none"]);
      assertEquals(await store.invalidateKeys(["a", "b"]), { status: "done", removed: 0 });
      await stores[(i + 2) % 3]!.write("a", entryOf("new", { tags: ["t"] }));
      for (const by of stores) assertEquals(await look(by, "a"), "fresh new");
    }
  },

  "InvalidationReplica of what was never there do nothing": async ({ open }) => {
    const store = await open();
    for (const invalidate of Object.values(INVALIDATIONS)) await invalidate(store);
    await store.write("a", entryOf("1", { tags: ["t"] }));
    assertEquals(await look(store, "a"), "fresh 1");
  },

  "A write and an invalidation of one tick leave nothing that is older than both": async ({ open }) => {
    for (const invalidate of Object.values(INVALIDATIONS)) {
      const [store, other] = [await open(), await open()];
      await store.write("a", entryOf("old", { tags: ["t"] }));
      await Promise.all([other.write("a", entryOf("new", { tags: ["t"] })), invalidate(other)]);
      assert(["none", "fresh new"].includes(await look(store, "a")));
      await Promise.all([invalidate(other), other.write("a", entryOf("newer", { tags: ["t"] }))]);
      assertEquals([await look(store, "a"), await look(other, "a")], ["fresh newer", "fresh newer"]);
    }
  },

  "inspect() shows what could be served": async ({ open, advance }) => {
    const store = await open();
    const windows = { fresh: 10_000, stale: 30_000, error: 70_000 };
    await store.write("p:expired", entryOf("1", windows));
    await advance(25_000);
    await store.write("p:stale", entryOf("12", { ...windows, tags: ["t", "u"] }));
    await store.write("p:over", entryOf("1", { fresh: 5000 }));
    await advance(15_000);
    await store.write("p:fresh", entryOf("1", windows));
    await store.write("p:gone", entryOf("1", { tags: ["gone"] }));
    await store.write("q", entryOf("1"));
    await store.read("p:lease", { lease: 10_000 });
    await store.invalidateTags(["gone"], "hard");
    const seen: Record<string, string> = {};
    for await (const [key, { state, entry, lease, now }] of store.inspect("p:*")) {
      seen[key] = `${state} ${[...entry!.tags].join()}`;
      assert(lease === 0 && now > 0 && entry!.bytes > 0);
    }
    assertEquals(Object.entries(seen).sort(), [["p:expired", "expired "], ["p:fresh", "fresh "], [
      "p:stale",
      "stale t,u",
    ]]);
  },

  "beside() gives a store with entries and invalidations of its own": async ({ open }) => {
    const store = await open();
    const beside = store.beside("v2");
    assertEquals(beside.kind, store.kind);
    await store.write("a", entryOf("1", { tags: ["t"] }));
    assertEquals(await look(beside, "a"), "none");
    await beside.write("a", entryOf("2", { tags: ["t"] }));
    for (const invalidate of Object.values(INVALIDATIONS)) {
      await invalidate(beside);
      assertEquals([await look(store, "a"), await look(beside, "a")], ["fresh 1", "none"]);
      await beside.write("a", entryOf("2", { tags: ["t"] }));
      await invalidate(store);
      assertEquals([await look(store, "a"), await look(store.beside("v2"), "a")], ["none", "fresh 2"]);
      await store.write("a", entryOf("1", { tags: ["t"] }));
    }
  },

  "A store that was disposed of rejects whatever is asked": async ({ open }) => {
    const store = await open();
    await store.write("a", entryOf("1"));
    await store[Symbol.asyncDispose]();
    const calls: Record<string, () => Promise<unknown>> = {
      read: () => store.read("a"),
      "read with a lease": () => store.read("b", { lease: 1000 }),
      write: () => store.write("a", entryOf("2")),
      "write with a fence": () => store.write("a", entryOf("2"), { lease: 1, epoch: 1, clock: 1 }),
      release: () => store.release("a", 1),
      extend: () => store.extend("a", 1, 1000),
      touch: () => store.touch("a", 1000),
      inspect: async () => await Array.fromAsync(store.inspect("*")),
      ...Object.fromEntries(Object.entries(INVALIDATIONS).map(([name, invalidate]) => [name, () => invalidate(store)])),
    };
    for (const [name, call] of Object.entries(calls)) {
      const error = await assertRejects(call, UnavailableError, "closed", name);
      assertEquals(error.reason, "closed", name);
    }
    assertEquals(store.queued, 0);
    await store[Symbol.asyncDispose]();
  },
};
