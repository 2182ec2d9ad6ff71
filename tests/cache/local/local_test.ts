import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { stub } from "@std/testing/mock";
import { Codec } from "../../../src/cache/codec.ts";
import { NEVER, type StoredEntry } from "../../../src/cache/entry.ts";
import { type Copy, Local, type LocalOptions } from "../../../src/cache/local.ts";
import type { Changes, Read } from "../../../src/cache/store.ts";
import { Values } from "../../../src/cache/values.ts";
import { StatsCounter } from "../../../src/cache/stats.ts";

/** The store's time; it has nothing to do with that of this process. */
const STORE_TIME = 1_700_000_000_000;
const codec = new Codec({ maxBytes: 1_000_000 });

/** Copies over a store whose news are what the test says. */
class Bench implements Disposable {
  time = 1000;
  touch = true;
  verdict: ReturnType<Changes["judge"]> = "valid";
  readonly local: Local;
  readonly #clock = stub(performance, "now", () => this.time);
  readonly #date = stub(Date, "now", () => 1_600_000_000_000 + this.time);

  constructor(options: LocalOptions = {}) {
    this.local = Local.of(options, () => ({ inTouch: () => this.touch, judge: () => this.verdict }))!;
  }

  /** Reads a key as the cache does: `during` happens while the read is on its way. */
  fill(key: string, value: unknown, options: { entry?: Partial<StoredEntry>; during?: () => void } = {}): unknown {
    const mark = this.local.mark();
    options.during?.();
    const read = readOf(value, options.entry);
    const decoded = codec.decode(read.entry!.payload, read.entry!.flags);
    this.local.fill(key, read, decoded, mark);
    return decoded;
  }

  /** What a caller is given for a copy. */
  value(key: string): unknown {
    const copy = this.local.get(key);
    return copy && valueOf(copy);
  }

  [Symbol.dispose](): void {
    this.#clock.restore();
    this.#date.restore();
  }
}

function valueOf(copy: Copy): unknown {
  if (copy.shared) return copy.shared.value;
  return (new Values(codec, new StatsCounter(), undefined).read("", copy, undefined) as { value: unknown }).value;
}

function readOf(value: unknown, entry: Partial<StoredEntry> = {}): Read {
  const { payload, flags } = codec.encode(value, "it") as { payload: Uint8Array; flags: number };
  const full: StoredEntry = {
    payload,
    flags,
    loadTime: 0,
    epoch: 1,
    asOf: 5,
    freshUntil: STORE_TIME + 60_000,
    staleUntil: STORE_TIME + 60_000,
    errorUntil: STORE_TIME + 60_000,
    leaseToken: 0,
    leaseUntil: 0,
    placeholder: false,
    bytes: payload.length + 68,
    tags: [],
    ...entry,
  };
  return { epoch: 1, clock: 9, now: STORE_TIME, state: "fresh", entry: full, lease: 0, held: 0, heldFor: 0 };
}

Deno.test("Local.get() gives what was filled", () => {
  using bench = new Bench();
  assertEquals(bench.local.get("a"), undefined);
  bench.fill("a", [1], { entry: { tags: ["t"], epoch: 7, asOf: 8, loadTime: 9 } });
  const { epoch, asOf, writtenAsOf, tags, loadTime } = bench.local.get("a")!;
  assertEquals([bench.value("a"), epoch, asOf, writtenAsOf, tags, loadTime], [[1], 7, 9, 8, ["t"], 9]);
  assertEquals(bench.local.get("b"), undefined);
});

Deno.test("Local.of() makes no copies of a store that tells no changes", () => {
  assertEquals(Local.of({}, () => undefined), undefined);
});

Deno.test("Local.get() uses no copy while out of touch, and keeps it", () => {
  using bench = new Bench();
  bench.fill("a", 1);
  bench.touch = false;
  assertEquals(bench.value("a"), undefined);
  bench.touch = true;
  assertEquals(bench.value("a"), 1);
});

Deno.test("Local.fill() makes no copy while out of touch", () => {
  using bench = new Bench();
  bench.touch = false;
  bench.fill("a", 1);
  bench.touch = true;
  assertEquals(bench.local.size, 0);
});

Deno.test("Local.get() drops a copy that invalidations heard of do not leave valid", () => {
  for (const verdict of ["invalid", "stale", "unknown"] as const) {
    using bench = new Bench();
    bench.fill("a", 1);
    bench.verdict = verdict;
    assertEquals(bench.value("a"), undefined);
    bench.verdict = "valid";
    assertEquals(bench.value("a"), undefined);
    assertEquals(bench.local.size, 0);
  }
});

Deno.test("Local.fill() takes no reply that a change of the key has overtaken", async (t) => {
  await t.step("while the read was on its way", () => {
    using bench = new Bench();
    bench.fill("a", "old", { during: () => bench.local.key("a") });
    assertEquals(bench.value("a"), undefined);
  });
  await t.step("while a read of another caller was on its way, which began later", () => {
    using bench = new Bench();
    const mark = bench.local.mark();
    bench.local.key("a");
    bench.time++;
    bench.fill("a", "new");
    bench.local.fill("a", readOf("old"), "old", mark);
    assertEquals(bench.value("a"), "new");
  });
  await t.step("in the same moment", () => {
    using bench = new Bench();
    bench.fill("a", "old", { during: () => bench.local.all() });
    assertEquals(bench.value("a"), undefined);
  });
  await t.step("however many keys changed since", () => {
    using bench = new Bench();
    bench.fill("a", "old", {
      during: () => {
        bench.local.key("a");
        for (let i = 0; i < 30_000; i++, bench.time += 0.001) bench.local.key(`${i}`);
      },
    });
    assertEquals(bench.value("a"), undefined);
  });
  await t.step("a change of another key does not matter", () => {
    using bench = new Bench();
    bench.fill("a", "good", { during: () => bench.local.key("b") });
    assertEquals(bench.value("a"), "good");
  });
  await t.step("a change before the read does not matter", () => {
    using bench = new Bench();
    bench.local.key("a");
    bench.local.all();
    bench.time++;
    bench.fill("a", "good");
    assertEquals(bench.value("a"), "good");
  });
});

Deno.test("Local drops the copy of a key that changed, and all when anything may have", () => {
  using bench = new Bench();
  for (const key of ["a", "b", "c"]) bench.fill(key, key);
  bench.local.key("a");
  assertEquals([bench.value("a"), bench.value("b"), bench.local.size], [undefined, "b", 2]);
  bench.local.all();
  assertEquals([bench.value("b"), bench.value("c"), bench.local.size], [undefined, undefined, 0]);
});

Deno.test("Local uses a copy until its ttl is over, and never longer than its entry is fresh", async (t) => {
  const life = (options: LocalOptions, entry: Partial<StoredEntry>, during?: number): number => {
    using bench = new Bench(options);
    const sent = bench.time;
    bench.fill("a", 1, { entry, during: () => bench.time += during ?? 0 });
    for (;; bench.time++) if (!bench.local.get("a") || bench.time - sent > 200_000) return bench.time - sent;
  };
  const freshFor = (ms: number) => ({ freshUntil: STORE_TIME + ms });
  await t.step("ttl is shorter", () => assertEquals(life({ ttl: "5s" }, freshFor(60_000)), 5000));
  await t.step("a minute unless said otherwise", () => assertEquals(life({}, { freshUntil: NEVER }), 60_000));
  await t.step("freshness is shorter", () => assertEquals(life({ ttl: "5s" }, freshFor(700)), 700));
  await t.step("0 = as long as the entry is fresh", () => assertEquals(life({ ttl: 0 }, freshFor(150_000)), 150_000));
  await t.step("for ever", () => assert(life({ ttl: 0 }, { freshUntil: NEVER }) > 200_000));
  await t.step("the read took long", () => assertEquals(life({}, freshFor(700), 300), 700));
  await t.step("the read took longer than the entry was fresh", () => assertEquals(life({}, freshFor(700), 900), 900));
});

Deno.test("Local tells how long a copy is fresh, which may be longer than it is used", () => {
  using bench = new Bench({ ttl: "5s" });
  bench.fill("a", 1, { entry: { freshUntil: STORE_TIME + 60_000 } });
  bench.fill("b", 1, { entry: { freshUntil: NEVER } });
  assertEquals([bench.local.get("a")!.until, bench.local.get("b")!.until], [61_000, Infinity]);
});

Deno.test("Local shares plain data, frozen through and through", () => {
  using bench = new Bench();
  bench.fill("a", { list: [{ n: 1 }], empty: null });
  const value = bench.value("a") as { list: { n: number }[] };
  assertStrictEquals(bench.value("a"), value);
  assertThrows(() => value.list.push({ n: 2 }), TypeError);
  assertThrows(() => value.list[0]!.n = 2, TypeError);
  assertThrows(() => delete (value as Partial<typeof value>).list, TypeError);
  assertEquals(bench.value("a"), { list: [{ n: 1 }], empty: null });
});

Deno.test("Local gives each caller its own of what cannot be frozen", () => {
  for (
    const value of [
      new Map([["a", { n: 1 }]]),
      new Set([1]),
      new Date(5),
      new Uint8Array([1, 2]),
      { at: new Date(5), plain: { n: 1 } },
      [new Map()],
      /x/g,
    ]
  ) {
    using bench = new Bench();
    const filled = bench.fill("a", value);
    const [first, second] = [bench.value("a"), bench.value("a")];
    assertEquals([first, second], [value, value]);
    assert(first !== second);
    assert(first !== filled);
    if (first instanceof Map) first.clear();
    else if (first instanceof Set) first.add(2);
    else if (first instanceof Date) first.setTime(0);
    else if (first instanceof Uint8Array) first[0] = 9;
    else if (typeof first === "object") Object.assign(first!, { changed: true, plain: 0 });
    assertEquals(bench.value("a"), value);
  }
});

Deno.test("Local with protect: 'clone' gives each caller its own of everything", () => {
  using bench = new Bench({ protect: "clone" });
  const filled = bench.fill("a", { list: [1] }) as { list: number[] };
  filled.list.push(2); // who read it first may change it too
  const first = bench.value("a") as { list: number[] };
  first.list.push(3);
  assertEquals(bench.value("a"), { list: [1] });
});

Deno.test("Local keeps bytes of its own, not a view of a reply", () => {
  for (const value of [new Date(5), { n: 1 }]) {
    using bench = new Bench({ protect: "clone" });
    const mark = bench.local.mark();
    const read = readOf(value);
    const reply = new Uint8Array(10_000);
    reply.set(read.entry!.payload, 100);
    const payload = reply.subarray(100, 100 + read.entry!.payload.length);
    bench.local.fill("a", { ...read, entry: { ...read.entry!, payload } }, value, mark);
    reply.fill(0);
    assertEquals(bench.value("a"), value);
    assertEquals(bench.local.get("a")!.payload.buffer.byteLength, payload.length);
  }
});

Deno.test("Local is bounded", async (t) => {
  await t.step("in entries; the least recently used goes", () => {
    using bench = new Bench({ maxEntries: 3 });
    for (const key of ["a", "b", "c"]) bench.fill(key, key);
    bench.value("a");
    bench.fill("d", "d");
    assertEquals(["a", "b", "c", "d"].map((key) => bench.value(key)), ["a", undefined, "c", "d"]);
  });
  await t.step("in bytes", () => {
    using bench = new Bench({ maxBytes: 100_000 });
    for (let i = 0; i < 100; i++) bench.fill(`${i}`, "x".repeat(10_000));
    assert(bench.local.size > 5 && bench.local.size < 10, `${bench.local.size}`);
    assertEquals(bench.value("99"), "x".repeat(10_000));
  });
  await t.step("what is larger than all of it is not kept", () => {
    using bench = new Bench({ maxBytes: 10_000 });
    bench.fill("small", 1);
    bench.fill("large", "x".repeat(20_000));
    assertEquals([bench.value("small"), bench.value("large")], [1, undefined]);
  });
  await t.step("in what it remembers of changes", () => {
    using bench = new Bench();
    const before = bench.local.mark();
    for (let i = 0; i < 50_000; i++, bench.time += 0.001) bench.local.key(`${i}`);
    // What it has forgotten counts as changed.
    bench.local.fill("never-changed", readOf(1), 1, before);
    assertEquals(bench.value("never-changed"), undefined);
    bench.fill("never-changed", 1);
    assertEquals(bench.value("never-changed"), 1);
  });
});
