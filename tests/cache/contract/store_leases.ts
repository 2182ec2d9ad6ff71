import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { CacheStore, Fence, Read } from "../../../src/cache/store.ts";
import type { Case } from "./harness.ts";
import { entryOf, found, look } from "./store_reads.ts";

/** How long leases last here. */
export const LEASE = 10_000;

/** Reads as a loader does, which is granted the lease. */
export async function lease(store: CacheStore, key: string): Promise<Fence> {
  const read = await store.read(key, { lease: LEASE });
  assertNotEquals(read.lease, 0, `no lease for ${key}`);
  return read;
}

/** Whether somebody holds the lease, and whether this read was granted it. */
export function leaseOf({ lease, held }: Read): string {
  return lease !== 0 ? "granted" : held > 0 ? "held" : held < 0 ? "paused" : "free";
}

/** Each kind of invalidation, of an entry `a` with the tag `t`. */
export const INVALIDATIONS: Readonly<Record<string, (store: CacheStore) => Promise<unknown>>> = {
  "invalidateKeys()": (store) => store.invalidateKeys(["a"]),
  "invalidateTags()": (store) => store.invalidateTags(["t"], "hard"),
  "invalidatePattern()": (store) => store.invalidatePattern("a*"),
  "clear()": (store) => store.clear(),
};

export const storeLeases: Readonly<Record<string, Case>> = {
  "read() grants a lease for what is not there, to one": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    assertEquals(leaseOf(await store.read("a")), "free");
    const read = await store.read("a", { lease: LEASE });
    assertEquals([read.state, leaseOf(read), read.heldFor], ["none", "granted", 0]);
    for (const by of [store, other]) {
      for (const options of [{ lease: LEASE }, { lease: 1 }, {}]) {
        const next = await by.read("a", options);
        assertEquals([next.state, next.entry, leaseOf(next), next.held], ["none", undefined, "held", read.lease]);
        assert(next.heldFor > 0 && next.heldFor <= LEASE);
      }
    }
  },

  "read() grants one lease however many ask at a time": async ({ open }) => {
    const stores = await Promise.all([open(), open(), open()]);
    const reads = await Promise.all(
      Array.from({ length: 300 }, (_, i) => stores[i % 3]!.read(`${i % 2}`, { lease: LEASE + i % 5 })),
    );
    for (const parity of [0, 1]) {
      const leases = reads.filter((_, i) => i % 2 === parity).map((read) => read.lease).filter((lease) => lease !== 0);
      assertEquals(new Set(leases).size, 1);
    }
  },

  "read() grants none for what is fresh": async ({ open }) => {
    const store = await open();
    await store.write("a", entryOf("1"));
    assertEquals(leaseOf(await store.read("a", { lease: LEASE })), "free");
    assertEquals(leaseOf(await store.read("a")), "free");
  },

  "read() grants one for what is stale or expired, which stays": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    for (const [key, wait] of [["stale", 15_000], ["expired", 40_000]] as const) {
      await store.write(key, entryOf("1", { fresh: 10_000, stale: 30_000, error: 70_000, tags: ["t"] }));
      await advance(wait);
      const read = await store.read(key, { lease: LEASE });
      assertEquals([found(read), leaseOf(read)], [`${key} 1`, "granted"]);
      const next = await other.read(key, { lease: LEASE });
      assertEquals([found(next), next.held], [`${key} 1`, read.lease]);
      assertEquals([...next.entry!.tags], ["t"]);
      assertEquals(await store.write(key, entryOf("2"), read), true);
      assertEquals(found(await other.read(key, { lease: LEASE })), "fresh 2");
    }
  },

  "read() grants one for what was invalidated as stale, which stays": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    await store.write("a", entryOf("1", { tags: ["t"] }));
    await other.invalidateTags(["t"], "stale");
    const read = await store.read("a", { lease: LEASE });
    assertEquals([found(read), leaseOf(read)], ["stale 1", "granted"]);
    const next = await other.read("a", { lease: LEASE });
    assertEquals([found(next), leaseOf(next)], ["stale 1", "held"]);
    assertEquals(await store.write("a", entryOf("2", { tags: ["t"] }), read), true);
    assertEquals(await look(other, "a"), "fresh 2");
  },

  "read() grants one for what was invalidated, which is gone": async ({ open }) => {
    for (const invalidate of Object.values(INVALIDATIONS)) {
      const [store, other] = [await open(), await open()];
      await store.write("a", entryOf("1", { tags: ["t"] }));
      assertEquals(await look(other, "a"), "fresh 1");
      await store.clear();
      await store.write("a", entryOf("2", { tags: ["t"] }));
      await invalidate(store);
      const read = await other.read("a", { lease: LEASE });
      assertEquals([found(read), leaseOf(read)], ["none", "granted"]);
      await other.release("a", read.lease);
    }
  },

  "A lease ends, and the next one voids it": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    await store.write("kept", entryOf("1", { fresh: 1000, stale: 60_000 }));
    await advance(2000);
    for (const key of ["absent", "kept"]) {
      const dead = await lease(store, key);
      await advance(LEASE - 2000);
      assertEquals(leaseOf(await other.read(key, { lease: LEASE })), "held");
      await advance(4000);
      const alive = await other.read(key, { lease: LEASE });
      assertEquals(leaseOf(alive), "granted");
      assertNotEquals(alive.lease, dead.lease);
      assertEquals(await store.extend(key, dead.lease, LEASE), false);
      assertEquals(await store.write(key, entryOf("late"), dead), false);
      await store.release(key, dead.lease);
      assertEquals((await store.read(key)).held, alive.lease);
      assertEquals(await other.write(key, entryOf("good"), alive), true);
      assertEquals(await look(store, key), "fresh good");
    }
  },

  "extend() makes a lease last longer": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    await store.write("kept", entryOf("1", { fresh: 1000, stale: 15_000 }));
    await advance(2000);
    for (const key of ["absent", "kept"]) {
      const fence = await lease(store, key);
      for (let i = 0; i < 3; i++) {
        await advance(LEASE - 2000);
        assertEquals(await store.extend(key, fence.lease, LEASE), true);
      }
      const read = await other.read(key, { lease: LEASE });
      assertEquals(leaseOf(read), "held");
      assert(read.heldFor > LEASE - 2000 && read.heldFor <= LEASE);
      assertEquals(await store.write(key, entryOf("2"), fence), true);
    }
  },

  "extend() and release() do nothing for whoever does not hold the lease": async ({ open }) => {
    const store = await open();
    await store.write("entry", entryOf("1"));
    const { lease: held } = await lease(store, "a");
    for (const [key, token] of [["absent", 5], ["entry", 5], ["a", held + 1], ["a", -1]] as const) {
      assertEquals(await store.extend(key, token, LEASE), false);
      await store.release(key, token, 1000);
    }
    assertEquals([await look(store, "entry"), await look(store, "absent")], ["fresh 1", "none"]);
    assertEquals((await store.read("a")).held, held);
  },

  "release() lets the next one load": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    await store.write("kept", entryOf("1", { fresh: 1000, stale: 60_000 }));
    await advance(2000);
    for (const key of ["absent", "kept"]) {
      const fence = await lease(store, key);
      await store.release(key, fence.lease);
      assertEquals(leaseOf(await other.read(key)), "free");
      const next = await other.read(key, { lease: LEASE });
      assertEquals(leaseOf(next), "granted");
      assertEquals(await store.write(key, entryOf("late"), fence), false);
    }
    assertEquals(await look(store, "kept"), "stale 1");
  },

  "release() with a pause grants nobody a lease for so long": async ({ open, advance }) => {
    const [store, other] = [await open(), await open()];
    await store.write("a", entryOf("1", { fresh: 1000, stale: 2000, error: 60_000 }));
    await advance(3000);
    const fence = await lease(store, "a");
    await advance(5000);
    await store.release("a", fence.lease, 4000);
    for (const by of [store, other]) {
      const read = await by.read("a", { lease: LEASE });
      assertEquals([found(read), leaseOf(read)], ["expired 1", "paused"]);
      assert(read.heldFor > 0 && read.heldFor <= 4000);
    }
    assertEquals(await store.write("a", entryOf("late"), fence), false);
    assertEquals(await store.extend("a", fence.lease, LEASE), false);
    await advance(5000);
    assertEquals(leaseOf(await other.read("a", { lease: LEASE })), "granted");
  },

  "release() with a pause makes nobody wait where there is nothing to serve": async ({ open }) => {
    const store = await open();
    const fence = await lease(store, "a");
    await store.release("a", fence.lease, 4000);
    assertEquals(leaseOf(await store.read("a", { lease: LEASE })), "granted");
  },

  "A pause does not hide an entry, and a write ends it": async ({ open, advance }) => {
    const store = await open();
    await store.write("a", entryOf("1", { fresh: 1000, stale: 60_000 }));
    await advance(2000);
    const fence = await lease(store, "a");
    await store.release("a", fence.lease, 30_000);
    assertEquals(await look(store, "a"), "stale 1");
    await store.write("a", entryOf("2", { fresh: 1000, stale: 60_000 }));
    await advance(2000);
    assertEquals(leaseOf(await store.read("a", { lease: LEASE })), "granted");
  },

  "read() with `unusable` has what is as old replaced, and leaves what is newer": async ({ open }) => {
    const store = await open();
    await store.write("a", entryOf("1"));
    const { asOf } = (await store.read("a")).entry!;
    const newer = await store.read("a", { lease: LEASE, unusable: asOf - 1 });
    assertEquals([found(newer), leaseOf(newer)], ["fresh 1", "free"]);
    const read = await store.read("a", { lease: LEASE, unusable: asOf });
    assertEquals([found(read), leaseOf(read)], ["none", "granted"]);
    assertEquals(await store.write("a", entryOf("2"), read), true);
    assertEquals(found(await store.read("a", { lease: LEASE, unusable: asOf })), "fresh 2");
  },

  "read() with `unusable` finds nothing, without a lease too": async ({ open }) => {
    const store = await open();
    await store.write("a", entryOf("1"));
    const { asOf } = (await store.read("a")).entry!;
    const read = await store.read("a", { unusable: asOf });
    assertEquals([found(read), leaseOf(read)], ["none", "free"]);
    assertEquals(await look(store, "a"), "fresh 1");
  },

  "read() with `refresh` finds what is as old stale, and keeps it": async ({ open }) => {
    const [store, other] = [await open(), await open()];
    await store.write("a", entryOf("1"));
    const { asOf } = (await store.read("a")).entry!;
    assertEquals(found(await store.read("a", { lease: LEASE, refresh: asOf - 1 })), "fresh 1");
    const read = await store.read("a", { lease: LEASE, refresh: asOf });
    assertEquals([found(read), leaseOf(read)], ["stale 1", "granted"]);
    const next = await other.read("a", { lease: LEASE, refresh: asOf });
    assertEquals([found(next), leaseOf(next)], ["stale 1", "held"]);
    assertEquals(found(await other.read("a", { lease: LEASE })), "fresh 1");
    assertEquals(await store.write("a", entryOf("2"), read), true);
    assertEquals(found(await other.read("a", { lease: LEASE, refresh: asOf })), "fresh 2");
  },
};
