import { assert, assertEquals } from "@std/assert";
import type { Case } from "./harness.ts";
import { INVALIDATIONS, LEASE, lease, leaseOf } from "./store_leases.ts";
import { entryOf, found, look } from "./store_reads.ts";

const refusedAfterEachInvalidation = Object.fromEntries(
  Object.entries(INVALIDATIONS).map(([name, invalidate]): [string, Case] => [
    `write() with a fence is refused after ${name}, and leaves the way free`,
    async ({ open, advance }) => {
      const [store, other] = [await open(), await open()];
      for (const before of ["nothing", "something"]) {
        if (before === "something") await store.write("a", entryOf("1", { tags: ["t"], fresh: 1000, error: 60_000 }));
        await advance(2000);
        const fence = await lease(store, "a");
        await invalidate(other);
        assertEquals(await store.write("a", entryOf("old", { tags: ["t"] }), fence), false);
        assertEquals(await look(other, "a"), "none");
        const next = await other.read("a", { lease: LEASE });
        assertEquals([found(next), leaseOf(next)], ["none", "granted"]);
        assertEquals(await other.write("a", entryOf("new", { tags: ["t"] }), next), true);
        assertEquals(await look(store, "a"), "fresh new");
        await store.invalidateKeys(["a"]);
      }
    },
  ]),
);

export const storeFences: Readonly<Record<string, Case>> = {
  "write() with a fence is as old as the read, and uses the lease up": async ({ open }) => {
    const store = await open();
    const fence = await lease(store, "a");
    assertEquals(await store.write("a", entryOf("1", { loadTime: 12 }), fence), true);
    const read = await store.read("a", { lease: LEASE });
    assertEquals([found(read), leaseOf(read), read.entry!.loadTime], ["fresh 1", "free", 12]);
    assertEquals(read.entry!.asOf, fence.clock);
    assertEquals(await store.write("a", entryOf("2"), fence), false);
    assertEquals(await look(store, "a"), "fresh 1");
  },

  "An explicit write beats a loader that began before (C3)": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    const fence = await lease(store, "a");
    await other.write("a", entryOf("set"));
    assertEquals(await store.write("a", entryOf("loaded"), fence), false);
    assertEquals(await look(store, "a"), "fresh set");

    await other.write("a", entryOf("set", { fresh: 1000, stale: 60_000 }));
    await advance(2000);
    const refresh = await lease(store, "a");
    await other.write("a", entryOf("again"));
    await store.release("a", refresh.lease, 1000);
    assertEquals(await store.write("a", entryOf("loaded"), refresh), false);
    assertEquals(await look(other, "a"), "fresh again");
  },

  "An older loader never overwrites a newer one": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    const older = await lease(store, "a");
    await advance(LEASE + 1000);
    const newer = await lease(other, "a");
    assertEquals(await other.write("a", entryOf("new", { fresh: 1000, stale: 60_000 }), newer), true);
    assertEquals(await store.write("a", entryOf("old"), older), false);
    await advance(2000);
    assertEquals(await store.write("a", entryOf("old"), older), false);
    assertEquals(await look(store, "a"), "stale new");
  },

  ...refusedAfterEachInvalidation,

  "write() with a fence is refused for a tag that only the loader knew": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    const fence = await lease(store, "a");
    await other.invalidateTags(["x", "late"], "hard");
    assertEquals(await store.write("a", entryOf("old", { tags: ["early", "late"] }), fence), false);
    assertEquals(leaseOf(await other.read("a", { lease: LEASE })), "granted");
  },

  "write() with a fence is not refused for what was invalidated before or has nothing to do with it": async (
    { open },
  ) => {
    const [store, other] = [await open(), await open()];
    await other.invalidateTags(["t"], "hard");
    const fence = await lease(store, "a");
    await other.invalidateTags(["other"], "hard");
    await other.invalidateKeys(["b"]);
    await other.invalidatePattern("b*");
    assertEquals(await store.write("a", entryOf("1", { tags: ["t"] }), fence), true);
    assertEquals(await look(other, "a"), "fresh 1");
  },

  "write() with a fence is stale at once when its tag was invalidated as stale meanwhile": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    const fence = await lease(store, "a");
    await other.invalidateTags(["t"], "stale");
    assertEquals(await store.write("a", entryOf("1", { tags: ["t"] }), fence), true);
    const read = await other.read("a", { lease: LEASE });
    assertEquals([found(read), leaseOf(read)], ["stale 1", "granted"]);
  },
};
export const storeCurrency: Readonly<Record<string, Case>> = Object.fromEntries([
  ...Object.entries(INVALIDATIONS).filter(([name]) => name !== "invalidateKeys()").map(
    ([name, invalidate]): [string, Case] => [
      `isCurrent() is false after ${name} for whoever has read since, or their reads say that the lease is gone`,
      async ({ open }) => {
        const [store, other] = [await open(), await open()];
        const fence = await lease(store, "a");
        const loaded = { key: "a", tags: ["t"], epoch: fence.epoch, clock: fence.clock };
        assertEquals(store.isCurrent(loaded), true);
        await invalidate(other);
        const read = await store.read("a", { lease: LEASE });
        assert(!store.isCurrent(loaded) || read.held !== fence.lease);
        const again = {
          key: "a",
          tags: ["t"],
          epoch: read.epoch,
          clock: (await store.read("b", { lease: LEASE })).clock,
        };
        assertEquals(store.isCurrent(again), true);
      },
    ],
  ),
  [
    "isCurrent() knows tags that were not invalidated, and stale ones, as current",
    async ({ open }: Parameters<Case>[0]) => {
      const [store, other] = [await open(), await open()];
      await store.read("b"); // what happened before its first read is nothing that a store can tell
      const { epoch, clock } = await lease(store, "a");
      await other.invalidateTags(["stale"], "stale");
      await other.invalidateTags(["other"], "hard");
      await store.read("a");
      assertEquals(store.isCurrent({ key: "a", tags: ["t", "stale"], epoch, clock }), true);
      assertEquals(store.isCurrent({ key: "a", tags: ["t", "other"], epoch, clock }), false);
    },
  ],
]);
