import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import type { DefinitionOptions } from "../../src/cache/options.ts";
import { openOnHarness, pause } from "./contract/cache_tools.ts";
import { type Case, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { RedisServer } from "../support/redis_server.ts";

interface User {
  id: number;
  org: number;
}

/** What most of the cases define. */
function users(overrides: Partial<DefinitionOptions<number, User>> = {}): DefinitionOptions<number, User> & {
  asked: (number | number[])[];
} {
  const asked: (number | number[])[] = [];
  const user = (id: number): User => ({ id, org: id % 2 });
  const options: DefinitionOptions<number, User> = {
    name: "user",
    key: (id: number) => id,
    load: (id) => {
      asked.push(id);
      return user(id);
    },
    ...overrides,
  };
  return Object.defineProperty(options, "asked", { value: asked }) as ReturnType<typeof users>; // beside the options
}

const definition: Readonly<Record<string, Case>> = {
  "get() loads once and remembers, under a key of its own": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const options = users();
    const kind = cache.define(options);
    assertEquals([await kind.get(7), await kind.get(7), options.asked], [{ id: 7, org: 1 }, { id: 7, org: 1 }, [7]]);
    assertEquals([kind.name, kind.keyOf(7), await cache.has("user:7")], ["user", "user:7", true]);
    assertEquals((await Promise.all(Array.from({ length: 20 }, () => kind.get(8)))).length, 20);
    assertEquals(options.asked, [7, 8]);
  },

  "A definition in each process shares the values": async (harness) => {
    const options = users();
    const [one, two] = [
      (await openOnHarness(harness)).cache.define(options),
      (await openOnHarness(harness)).cache.define(options),
    ];
    await Promise.all([one.get(1), two.get(1), one.get(1)]);
    assertEquals(options.asked, [1]);
  },

  "The loader is given the id and the context": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const given: unknown[] = [];
    const kind = cache.define<number, { n: number }>({
      name: "n",
      key: (id) => id,
      load: (id, { key, stale, signal }) => {
        given.push([id, key, stale, signal.aborted]);
        return { n: given.length };
      },
      ttl: 10,
      staleWhileRevalidate: 100,
    });
    await kind.get(5);
    await harness.advance(20_000);
    assertEquals(await kind.get(5), { n: 1 });
    await events.until("cache.load", 2);
    assertEquals(given, [[5, "n:5", undefined, false], [5, "n:5", { n: 1 }, false]]);
  },

  "Every entry has the name as a tag, and further ones": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (
      const [tags, wanted] of [
        [undefined, ["user"]],
        [["people"], ["user", "people"]],
        [(user: User, id: number) => [`org:${user.org}`, `id:${id}`], ["user", "org:1", "id:7"]],
      ] as const
    ) {
      const kind = cache.define(users({ tags }));
      await kind.get(7);
      assertEquals((await kind.lookup(7)).tags, wanted);
      await kind.set(9, { id: 9, org: 3 });
      assertEquals(
        (await kind.lookup(9)).tags,
        wanted.map((tag) => tag.replace("org:1", "org:3").replace("id:7", "id:9")),
      );
      await kind.invalidateAll();
      assertEquals([(await kind.lookup(7)).status, (await kind.lookup(9)).status], ["miss", "miss"]);
    }
  },

  "getMany() without loadMany loads each": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const options = users();
    const kind = cache.define(options);
    await kind.get(2);
    assertEquals([...(await kind.getMany([3, 2, 1, 3])).keys()], [3, 2, 1]);
    assertEquals(options.asked, [2, 3, 1]);
  },

  "getMany() with loadMany loads the missing ones together, in their order": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const options = users();
    const kind = cache.define({
      ...options,
      loadMany: (ids) => {
        options.asked.push([...ids]);
        return new Map(ids.filter((id) => id < 100).map((id) => [id, { id, org: 0 }]));
      },
      tags: (user, id) => [`${user.id}=${id}`],
    });
    await kind.get(2);
    const found = await kind.getMany([3, 2, 100, 1, 3]);
    assertEquals([...found], [[3, { id: 3, org: 0 }], [2, { id: 2, org: 0 }], [1, { id: 1, org: 0 }]]);
    assertEquals(options.asked, [2, [3, 100, 1]]);
    assertEquals((await kind.lookup(3)).tags, ["user", "3=3"]);
    assertEquals(await kind.getMany([]), new Map());
  },

  "Ids may be objects; each that was asked for is answered": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const kind = cache.define<{ org: string; n: number }, string>({
      name: "doc",
      key: ({ org, n }) => `${org}/${n}`,
      load: ({ n }) => `${n}`,
      loadMany: (ids) => new Map(ids.map((id) => [{ ...id }, `${id.n}`])),
    });
    const ids = [{ org: "a", n: 1 }, { org: "a", n: 1 }, { org: "b", n: 1 }];
    const found = await kind.getMany(ids);
    assertEquals(ids.map((id) => found.get(id)), ["1", "1", "1"]);
    assertEquals(await kind.get({ org: "a", n: 2 }), "2");
    assertEquals([await cache.get("doc:a/1"), await cache.get("doc:b/1")], ["1", "1"]);
  },

  "A key that is no string and no number rejects, or all ids would share one entry": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (const wrong of [undefined, null, {}, NaN, Promise.resolve("1"), Symbol("a"), ["1"], true, "", "a\nb"]) {
      const kind = cache.define<number, string>({ name: "user", key: () => wrong as string, load: () => "value" });
      for (
        const call of [
          () => kind.get(1),
          () => kind.getMany([1]),
          () => kind.lookup(1),
          () => kind.set(1, "a"),
          () => kind.invalidate(1),
        ]
      ) {
        const error = await call().then(() => undefined, (error) => error);
        assert(error instanceof TypeError || error instanceof RangeError, `${String(wrong)}: ${error}`);
      }
    }
    const kind = cache.define<number, string>({ name: "big", key: (id) => BigInt(id), load: () => "value" });
    assertEquals([await kind.get(1), await cache.get("big:1")], ["value", "value"]);
  },

  "set(), invalidate() and invalidateAll() are about the kind only": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const options = users();
    const kind = cache.define(options);
    const other = cache.define(users({ name: "users" }));
    await cache.set("user", "plain");
    assertEquals(await kind.set(1, { id: 1, org: 5 }), true);
    await other.get(1);
    assertEquals([await kind.get(1), options.asked], [{ id: 1, org: 5 }, []]);
    assertEquals((await kind.invalidate(1)).status, "done");
    assertEquals([(await kind.lookup(1)).status, (await other.lookup(1)).status], ["miss", "hit"]);
    await kind.set(1, { id: 1, org: 5 });
    await kind.invalidateAll();
    assertEquals([(await kind.lookup(1)).status, (await other.lookup(1)).status], ["miss", "hit"]);
    assertEquals(await cache.get("user"), "plain");
  },

  "set() keeps to the lifetime of the kind": async (harness) => {
    const { cache } = await openOnHarness(harness, { ttl: 1 });
    const kind = cache.define(users({ ttl: (user) => user.id * 100, staleWhileRevalidate: 50 }));
    await kind.set(2, { id: 2, org: 0 });
    const { ttl } = await kind.lookup(2);
    assert(ttl > 190 && ttl <= 200, `${ttl}`);
    await harness.advance(220_000);
    assertEquals((await kind.lookup(2)).status, "stale");
  },

  "The schema is checked on every way to a value": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const kind = cache.define({ ...users(), schema: z.object({ id: z.number(), org: z.number() }) });
    await cache.set("user:1", { id: "1" });
    assertEquals((await kind.lookup(1)).status, "miss");
    assertEquals(await kind.get(1), { id: 1, org: 1 });
    await cache.set("user:2", "nonsense");
    assertEquals((await kind.getMany([1, 2])).get(2), { id: 2, org: 0 });
    assert(events.count("cache.schema_mismatch") >= 2);
  },

  "A kind whose loader fails rejects, or serves what is older": async (harness) => {
    const { cache } = await openOnHarness(harness);
    let down = false;
    const kind = cache.define<number, number>({
      name: "n",
      key: (id) => id,
      load: (id) => down ? Promise.reject(new Error("down")) : id,
      ttl: 10,
      staleIfError: 100,
    });
    await kind.get(1);
    down = true;
    await harness.advance(20_000);
    assertEquals(await kind.get(1), 1);
    await assertRejects(() => kind.get(2), Error, "down");
    await assertRejects(() => kind.getMany([1, 2]), Error, "down");
  },

  "A signal ends a wait": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const gate = Promise.withResolvers<User>();
    const kind = cache.define(users({ load: () => gate.promise }));
    const abort = new AbortController();
    const get = kind.get(1, { signal: abort.signal });
    const many = kind.getMany([1], { signal: abort.signal });
    get.catch(() => {});
    many.catch(() => {});
    await pause(5);
    abort.abort(new Error("enough"));
    await assertRejects(() => get, Error, "enough");
    await assertRejects(() => many, Error, "enough");
    gate.resolve({ id: 1, org: 1 });
  },

  "Wrong options are told at once": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (
      const wrong of [
        undefined,
        {},
        { name: 5 },
        { name: "" },
        { key: "id" },
        { load: undefined },
        { loadMany: {} },
        { ttl: "soon" },
        { ttl: -1 },
        { lease: "1y" },
        { jitter: 2 },
        { beta: "1" },
        { tags: "a" },
        { tags: [""] },
        { schema: {} },
      ]
    ) {
      const options = wrong && { ...(Object.keys(wrong).length > 0 && users()), ...wrong };
      const error = assertThrows(() => cache.define(options as unknown as DefinitionOptions<number, User>), Error);
      assert(error instanceof TypeError || error instanceof RangeError, `${JSON.stringify(wrong)}: ${error}`);
    }
    assertInstanceOf(cache.define(users()).get, Function);
  },
};

Deno.test("Cache.define() on the embedded store", async (t) => {
  await runCases(t, definition, () => new MemoryHarness());
});

Deno.test("Cache.define() on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, definition, () => new RedisHarness(server));
});
