import { assert, assertEquals, assertThrows } from "@std/assert";
import { openCache } from "../../support/open_cache.ts";
import { APP_RIGHTS } from "../../support/app_rights.ts";
import { RedisServer } from "../../support/redis_server.ts";

interface Row {
  name: string;
  tags: string[];
}

function assertFrozen(row: Row): void {
  assertThrows(() => row.name = "changed", TypeError);
  assertThrows(() => row.tags.push("changed"), TypeError);
}

Deno.test("Cache with copies gives the first caller the same frozen value as the later ones", async () => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await using opened = await openCache(server, { local: true });
  const { cache } = opened;
  const row: Row = { name: "Ada", tags: ["a"] };
  const load = () => row;

  const first = await cache.getOrSet("a", load);
  assertFrozen(first);
  assert(!Object.isFrozen(row), "what the loader keeps is its own");
  for (let i = 0; i < 3; i++) assertFrozen(await cache.getOrSet("a", load));

  for (const value of await Promise.all([1, 2, 3].map(() => cache.getOrSet("b", load)))) assertFrozen(value);
  for (
    const value of (await cache.getOrSetMany<Row>(["c", "d"], (keys) => new Map(keys.map((key) => [key, row]))))
      .values()
  ) {
    assertFrozen(value);
  }
  assertFrozen(await cache.getOrSet("a", load, { fresh: true }));
  await cache.set("e", row);
  assertFrozen((await cache.get<Row>("e"))!);
  assertEquals(row, { name: "Ada", tags: ["a"] });
});

Deno.test("Cache with copies gives stale values frozen, and its loaders one that they may change", async () => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await using opened = await openCache(server, { local: true });
  const { cache } = opened;
  const load = (): Row => ({ name: "Ada", tags: ["a"] });
  const options = { staleWhileRevalidate: "1h", staleIfError: "1h", tags: ["rows"] } as const;
  await cache.getOrSet<Row>("a", load, options);
  await cache.invalidateByTag("rows", { mode: "stale" });
  const changed = Promise.withResolvers<void>();
  assertFrozen(
    await cache.getOrSet<Row>("a", ({ stale }) => {
      stale!.name = "Grace";
      changed.resolve();
      return stale!;
    }, options),
  );
  await changed.promise;
});

Deno.test("Cache with cloned copies gives the first caller one of its own", async () => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await using opened = await openCache(server, { local: { protect: "clone" } });
  const row: Row = { name: "Ada", tags: ["a"] };
  const first = await opened.cache.getOrSet("a", () => row);
  first.tags.push("changed");
  assertEquals(row.tags, ["a"]);
  assertEquals((await opened.cache.getOrSet("a", () => row)).tags, ["a"]);
});
