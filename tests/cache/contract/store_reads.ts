import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertNotEquals } from "@std/assert";
import { NEVER } from "../../../src/cache/entry.ts";
import type { CacheStore, NewEntry, Read } from "../../../src/cache/store.ts";
import type { Case } from "./harness.ts";

const HOUR = 3_600_000;
const encoder = new TextEncoder();

/** An entry with a text as its value, fresh for an hour. */
export function entryOf(text: string, options: Partial<NewEntry> = {}): NewEntry {
  const fresh = options.fresh ?? HOUR;
  const stale = options.stale ?? fresh;
  return {
    payload: encoder.encode(text),
    flags: 0,
    tags: [],
    loadTime: 0,
    ...options,
    fresh,
    stale,
    error: options.error ?? stale,
  };
}

/** How a read found the entry and its text, as in `"fresh a"`; only the state where there is none. */
export function found({ state, entry }: Read): string {
  return entry ? `${state} ${new TextDecoder().decode(entry.payload)}` : state;
}

/** What is stored, as {@linkcode found} tells it. */
export async function look(store: CacheStore, key: string): Promise<string> {
  return found(await store.read(key));
}

/** Names that could be mistaken for something else by a store. */
const NAMES = [
  ...["e", "k", "i", "f", "l", "r", "h:e", "s:e", "p:*", "", "é", "e\u0301", "日本語", "👩‍👩‍👧"],
  ...["user:1", "User:1", "user:1 ", " user:1", "user:*", "user:?", "user:[1]", "user:\\1", "{user}:1", "}{", "{}"],
  ...[
    "__proto__",
    "constructor",
    "toString",
    "0",
    "-0",
    "00",
    "null",
    "undefined",
    "\\",
    "%s",
    '"',
    "'",
    "a".repeat(512),
  ],
].filter((name) => name !== "");

export const storeReads: Readonly<Record<string, Case>> = {
  "read() finds nothing where nothing was written": async ({ open }) => {
    const store = await open();
    const { state, entry, lease, held, heldFor, now, epoch, clock } = await store.read("a");
    assertEquals([state, entry, lease, held, heldFor], ["none", undefined, 0, 0, 0]);
    assert(now > 0 && epoch > 0 && clock > 0);
  },

  "read() gives back all that was written": async ({ open }) => {
    const store = await open();
    const payload = Uint8Array.from({ length: 1000 }, (_, i) => i % 256);
    const tags = ["users", "org:1"];
    assertEquals(
      await store.write("a", { payload, flags: 77, tags, loadTime: 123, fresh: 1000, stale: 3000, error: 7000 }),
      true,
    );
    const { state, entry, now, epoch, clock, lease } = await store.read("a", { lease: 1000 });
    assertEquals([state, lease], ["fresh", 0]);
    assert(entry);
    assertEquals(new Uint8Array(entry.payload), payload);
    assertEquals([entry.flags, [...entry.tags], entry.loadTime, entry.placeholder], [77, tags, 123, false]);
    assertEquals([entry.staleUntil - entry.freshUntil, entry.errorUntil - entry.freshUntil], [2000, 6000]);
    assert(entry.freshUntil > now - 1000 && entry.freshUntil <= now + 1000);
    assertEquals([entry.epoch, entry.leaseToken], [epoch, 0]);
    assert(entry.asOf > 0 && entry.asOf <= clock);
    assertGreaterOrEqual(entry.bytes, 1000);
  },

  "read() tells keys apart that look alike": async ({ open }) => {
    const store = await open();
    await Promise.all(NAMES.map((name, i) => store.write(name, entryOf(String(i)))));
    const reads = await Promise.all(NAMES.map((name) => look(store, name)));
    assertEquals(reads, NAMES.map((_, i) => `fresh ${i}`));
    assertEquals(await store.invalidateKeys(NAMES.filter((_, i) => i % 2 === 0)), {
      status: "done",
      removed: Math.ceil(NAMES.length / 2),
    });
    const left = await Promise.all(NAMES.map((name) => look(store, name)));
    assertEquals(left, NAMES.map((_, i) => i % 2 === 0 ? "none" : `fresh ${i}`));
  },

  "read() tells tags apart that look alike": async ({ open }) => {
    const store = await open();
    await Promise.all(NAMES.map((name, i) => store.write(`key ${i}`, entryOf(String(i), { tags: [name] }))));
    for (const [i, name] of NAMES.entries()) {
      if (i % 2 === 0) await store.invalidateTags([name], i % 4 === 0 ? "hard" : "stale");
    }
    const left = await Promise.all(NAMES.map((_, i) => look(store, `key ${i}`)));
    assertEquals(left, NAMES.map((_, i) => i % 4 === 0 ? "none" : i % 4 === 2 ? `stale ${i}` : `fresh ${i}`));
  },

  "read() takes payloads of any content and size": async ({ open }) => {
    const store = await open();
    const payloads = [0, 1, 68, 69, 255, 256, 65_535, 65_536, 3_000_000].map((size) =>
      Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) % 256)
    );
    // A payload that looks like an entry or a reply of Redis is nothing but bytes.
    payloads.push(encoder.encode("$5\r\nhello\r\n*1\r\n"), new Uint8Array(200).fill(1), new Uint8Array(200).fill(0xc2));
    await Promise.all(payloads.map((payload, i) => store.write(`${i}`, entryOf("", { payload, tags: ["t"] }))));
    const reads = await Promise.all(payloads.map((_, i) => store.read(`${i}`)));
    for (const [i, payload] of payloads.entries()) {
      const read = reads[i]!.entry!.payload;
      assert(read.length === payload.length && read.every((byte, at) => byte === payload[at]), `payload ${i}`);
    }
  },

  "read() answers a thousand different keys in one tick": async ({ open }) => {
    const store = await open();
    const keys = Array.from({ length: 1000 }, (_, i) => `key:${i}`);
    await Promise.all(keys.map((key, i) => i % 3 === 0 ? undefined : store.write(key, entryOf(key))));
    const reads = await Promise.all(keys.map((key) => store.read(key, { lease: 10_000 })));
    assertEquals(reads.map(found), keys.map((key, i) => i % 3 === 0 ? "none" : `fresh ${key}`));
    assertEquals(reads.map((read) => read.lease !== 0), keys.map((_, i) => i % 3 === 0));
    const plain = await Promise.all(keys.map((key) => store.read(key)));
    assertEquals(plain.map((read) => read.held !== 0), keys.map((_, i) => i % 3 === 0));
  },

  "read() answers a thousand callers of one key in one tick": async ({ open }) => {
    const store = await open();
    const reads = await Promise.all(Array.from({ length: 1000 }, () => store.read("a", { lease: 10_000 })));
    // Those who share a read share its lease; nobody else has one.
    const leases = new Set(reads.map((read) => read.lease).filter((lease) => lease !== 0));
    assertEquals(leases.size, 1);
    assert(reads.every((read) => leases.has(read.lease) || leases.has(read.held)));
  },

  "write() replaces what was there, and its place in the order rises": async ({ open }) => {
    const stores = [await open(), await open()];
    let asOf = 0;
    for (let i = 0; i < 20; i++) {
      assertEquals(await stores[i % 2]!.write("a", entryOf(`${i}`)), true);
      const read = await stores[(i >> 1) % 2]!.read("a");
      assertEquals(found(read), `fresh ${i}`);
      assertGreater(read.entry!.asOf, asOf);
      asOf = read.entry!.asOf;
    }
  },

  "The clock never goes back, whoever asks": async ({ open }) => {
    const stores = [await open(), await open()];
    let last = 0;
    const seen = async (key: string, lease?: number) => {
      for (const store of stores) {
        const { clock } = await store.read(key, lease ? { lease } : {});
        assertGreaterOrEqual(clock, last);
        last = clock;
      }
    };
    for (let i = 0; i < 5; i++) {
      await seen("a");
      await stores[0]!.write("a", entryOf("1", { tags: ["t"] }));
      assertGreaterOrEqual((await stores[1]!.read("a")).entry!.asOf, last);
      await seen("a");
      await stores[1]!.invalidateTags(["t"], "hard");
      await seen(`b${i}`, 1000);
    }
  },

  "write() takes 64 tags, and each of them invalidates": async ({ open }) => {
    const store = await open();
    const tags = Array.from({ length: 64 }, (_, i) => `tag ${i} ${"x".repeat(490)}`);
    for (const tag of [tags[0]!, tags[31]!, tags[63]!]) {
      await store.write("a", entryOf("1", { tags }));
      const { entry } = await store.read("a");
      assertEquals([...entry!.tags], tags);
      await store.invalidateTags([tag], "hard");
      assertEquals(await look(store, "a"), "none");
    }
  },

  "An entry is fresh, then stale, then expired, then gone": async ({ open, advance }) => {
    const store = await open();
    await store.write("a", entryOf("1", { fresh: 10_000, stale: 30_000, error: 70_000 }));
    const states = [await look(store, "a")];
    for (const wait of [5000, 10_000, 10_000, 10_000, 30_000, 10_000]) {
      await advance(wait);
      states.push(await look(store, "a"));
    }
    assertEquals(states, ["fresh 1", "fresh 1", "stale 1", "stale 1", "expired 1", "expired 1", "none"]);
  },

  "An entry without further windows is gone when it is no longer fresh": async ({ open, advance }) => {
    const store = await open();
    await store.write("a", entryOf("1", { fresh: 10_000 }));
    await advance(9000);
    assertEquals(await look(store, "a"), "fresh 1");
    await advance(2000);
    assertEquals(await look(store, "a"), "none");
  },

  "An entry may skip being stale": async ({ open, advance }) => {
    const store = await open();
    await store.write("a", entryOf("1", { fresh: 10_000, stale: 10_000, error: 30_000 }));
    await advance(15_000);
    assertEquals(await look(store, "a"), "expired 1");
  },

  "An entry may last for ever, and its windows too": async ({ open, advance }) => {
    const store = await open();
    await store.write("fresh", entryOf("1", { fresh: Infinity }));
    await store.write("stale", entryOf("2", { fresh: 1000, stale: Infinity }));
    await store.write("error", entryOf("3", { fresh: 1000, stale: 2000, error: Infinity }));
    await advance(50 * 365 * 24 * HOUR);
    const reads = await Promise.all(["fresh", "stale", "error"].map((key) => store.read(key)));
    assertEquals(reads.map(found), ["fresh 1", "stale 2", "expired 3"]);
    assertGreaterOrEqual(reads[0]!.entry!.freshUntil, NEVER);
  },

  "touch() gives an entry a new freshness and keeps its windows": async ({ open, advance }) => {
    const store = await open();
    await store.write("a", entryOf("1", { fresh: 10_000, stale: 30_000, error: 70_000, tags: ["t"] }));
    const before = (await store.read("a")).entry!;
    await advance(5000);
    assertEquals(await store.touch("a", 20_000), true);
    const { entry } = await store.read("a");
    assertEquals([entry!.staleUntil - entry!.freshUntil, entry!.errorUntil - entry!.freshUntil], [20_000, 60_000]);
    assertEquals(entry!.asOf, before.asOf);
    const states = [];
    for (const wait of [19_000, 2000, 18_000, 2000, 38_000, 2000]) {
      await advance(wait);
      states.push(await look(store, "a"));
    }
    assertEquals(states, ["fresh 1", "stale 1", "stale 1", "expired 1", "expired 1", "none"]);
  },

  "touch() shortens too": async ({ open, advance }) => {
    const store = await open();
    await store.write("a", entryOf("1", { fresh: HOUR, stale: HOUR + 1000 }));
    assertEquals(await store.touch("a", 10_000), true);
    await advance(12_000);
    assertEquals(await look(store, "a"), "none");
  },

  "touch() makes stale and expired entries fresh again": async ({ open, advance }) => {
    const store = await open();
    for (const [key, wait] of [["stale", 15_000], ["expired", 40_000]] as const) {
      await store.write(key, entryOf("1", { fresh: 10_000, stale: 30_000, error: 70_000 }));
      await advance(wait);
      assertEquals(await look(store, key), `${key} 1`);
      assertEquals(await store.touch(key, 10_000), true);
      assertEquals(await look(store, key), "fresh 1");
      await advance(35_000);
      assertEquals(await look(store, key), "expired 1");
    }
  },

  "touch() can make an entry last for ever, and no longer": async ({ open, advance }) => {
    const store = await open();
    await store.write("a", entryOf("1", { fresh: 10_000, stale: 30_000, error: 70_000 }));
    await store.touch("a", Infinity);
    await advance(HOUR);
    assertEquals(await look(store, "a"), "fresh 1");
    await store.touch("a", 10_000);
    await advance(9000);
    assertEquals(await look(store, "a"), "fresh 1");
    await advance(2000);
    assertEquals(await look(store, "a"), "none");

    await store.write("b", entryOf("2", { fresh: 10_000, stale: 20_000, error: Infinity }));
    await store.touch("b", 30_000);
    await advance(45_000);
    assertEquals(await look(store, "b"), "expired 2");
    await advance(24 * HOUR);
    assertEquals(await look(store, "b"), "expired 2");
  },

  "touch() finds nothing that is absent, invalidated, over or only a lease": async ({ open, advance }) => {
    const store = await open();
    assertEquals(await store.touch("absent", 1000), false);
    await store.read("lease", { lease: 10_000 });
    assertEquals(await store.touch("lease", 1000), false);
    await store.write("tagged", entryOf("1", { tags: ["t"] }));
    await store.invalidateTags(["t"], "hard");
    assertEquals(await store.touch("tagged", 1000), false);
    assertEquals(await look(store, "tagged"), "none");
    await store.write("over", entryOf("1", { fresh: 1000 }));
    await advance(2000);
    assertEquals(await store.touch("over", 1000), false);
    assertEquals(await look(store, "over"), "none");
    await store.write("cleared", entryOf("1"));
    await store.clear();
    assertEquals(await store.touch("cleared", 1000), false);
  },

  "touch() takes back no invalidation": async ({ open }) => {
    const store = await open();
    await store.write("a", entryOf("1", { tags: ["t"] }));
    await store.invalidateTags(["t"], "stale");
    assertEquals(await store.touch("a", HOUR), false);
    assertEquals(await look(store, "a"), "stale 1");
  },

  "A value that was read does not change with the store": async ({ open }) => {
    const store = await open();
    await store.write("a", entryOf("1", { tags: ["t"] }));
    const read = await store.read("a");
    await store.write("a", entryOf("2"));
    await store.invalidateKeys(["a"]);
    assertEquals(found(read), "fresh 1");
    assertNotEquals(read.entry!.asOf, (await store.read("a")).entry?.asOf);
  },
};
