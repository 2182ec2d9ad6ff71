/**
 * Types that callers rely on. Most of what is asserted here is asserted when it is checked, not when it is run.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { z } from "zod";
import {
  Cache,
  type CacheStats,
  type InvalidationResult,
  type LarderEvent,
  type Loader,
  type Lookup,
  MemoryStore,
  type SchemaOutput,
  type StandardSchema,
} from "../../src/cache/mod.ts";

/** Whether two types are the same, as opposed to assignable. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Does not compile unless the type of the value is the one named: `is<number>()(value, true)`. */
function is<Wanted>(): <Actual>(value: Actual, same: Same<Actual, Wanted>) => void {
  return () => {};
}

interface User {
  id: number;
  name: string;
}

const user: User = { id: 1, name: "Ada" };
const User = z.object({ id: z.number(), name: z.string() });

Deno.test("Cache.get() and its like give what the caller or the schema says, and unknown otherwise", async () => {
  await using cache = new Cache(new MemoryStore());
  await cache.set("user:1", user);
  is<unknown>()(await cache.get("user:1"), true);
  is<User | undefined>()(await cache.get<User>("user:1"), true);
  is<User | undefined>()(await cache.get("user:1", { schema: User }), true);
  is<Map<string, unknown>>()(await cache.getMany(["user:1"]), true);
  is<Map<string, User>>()(await cache.getMany<User>(["user:1"]), true);
  is<Map<string, User>>()(await cache.getMany(["user:1"], { schema: User }), true);
  is<Lookup<unknown>>()(await cache.lookup("user:1"), true);
  is<Lookup<User>>()(await cache.lookup("user:1", { schema: User }), true);
  const { status, value } = await cache.lookup<User>("user:1");
  is<"hit" | "stale" | "miss">()(status, true);
  is<User | undefined>()(value, true);
  assertEquals(value, user);
});

Deno.test("Cache.getOrSet() gives what its loader gives", async () => {
  await using cache = new Cache(new MemoryStore());
  is<User>()(await cache.getOrSet("a", () => user), true);
  is<User>()(await cache.getOrSet("b", () => Promise.resolve(user)), true);
  is<User | null>()(await cache.getOrSet("c", (): User | null => null), true);
  is<User>()(await cache.getOrSet("d", () => user, { schema: User }), true);
  is<undefined>()(await cache.getOrSet("e", () => undefined), true);
  is<number>()(await cache.getOrSet<number>("f", ({ stale }) => (stale ?? 0) + 1), true);
  await cache.getOrSet<User>("g", ({ key, stale, signal, notModified, skip, setTtl, setTags }) => {
    is<string>()(key, true);
    is<User | undefined>()(stale, true);
    is<AbortSignal>()(signal, true);
    is<() => User>()(notModified, true);
    setTtl("5m");
    setTags(["users"] as const);
    return skip(user);
  }, {
    tags: (value, key) => {
      is<User>()(value, true);
      return [key, `user:${value.id}`];
    },
    ttl: ({ id }) => id > 0 ? "1h" : 5,
  });
  // What the loader gives is what comes, also where it uses its context.
  const used = await cache.getOrSet("k", async (context) => {
    is<unknown>()(context.stale, true);
    if (context.stale) return context.notModified();
    if (context.key === "") return context.skip(user);
    return await Promise.resolve(user);
  }, { tags: (value) => [value.name], ttl: ({ id }) => id });
  is<User>()(used, true);
  const load: Loader<User> = (context) => context.stale ?? user;
  is<User>()(await cache.getOrSet("h", load, { signal: undefined, ttl: undefined, tags: undefined }), true);

  // @ts-expect-error: the loader does not give what the schema does
  await cache.getOrSet<User>("i", () => ({ id: "1" }), { schema: User }).catch(() => {});
  // @ts-expect-error: a loader is a function
  await cache.getOrSet("j", user).catch(() => {});
  // @ts-expect-error: a key is a string
  await cache.getOrSet(1, () => user).catch(() => {});
});

Deno.test("Cache.getOrSetMany(), define() and wrap() carry the types through", async () => {
  await using cache = new Cache(new MemoryStore());
  const many = await cache.getOrSetMany(["a", "b"], (missing) => new Map(missing.map((key) => [key, key.length])));
  is<Map<string, number>>()(many, true);
  const users = cache.define({
    name: "user",
    key: (id: number) => id,
    load: (id) => ({ id, name: `User ${id}` }),
    loadMany: (ids) => new Map(ids.map((id) => [id, { id, name: "" }])),
    tags: (value, id) => [value.name, `${id + 1}`],
  });
  is<User>()(await users.get(7), true);
  is<Map<number, User>>()(await users.getMany([7]), true);
  const others = cache.define({
    name: "other",
    key: (id: number) => id,
    load: (id, context) => context.stale === undefined ? { ...user, id } : context.notModified(),
    tags: (value) => [value.name],
  });
  is<User>()(await others.get(7), true);
  const stated = cache.define<number, User>({ name: "stated", key: (id) => id, load: (_, { stale }) => stale ?? user });
  is<User>()(await stated.get(7), true);
  is<boolean>()(await users.set(7, user), true);
  // @ts-expect-error: the id is a number
  await users.get("7");
  // @ts-expect-error: not all of a user
  await users.set(7, { id: 7 }).catch(() => {});
  const getUser = cache.wrap((id: number, _locale?: string) => ({ ...user, id }), { key: (id) => `wrapped:${id}` });
  is<Promise<User>>()(getUser(1), true);
  // @ts-expect-error: the id is a number
  await getUser("1");
  const greet = cache.wrap((name: string, mark = "!") => name + mark, { key: (name, mark) => `${name} ${mark}` });
  is<string>()(await greet("Ada"), true); // what the key takes leaves optional what the function does not need
  // @ts-expect-error: a key is made of what the function takes
  cache.wrap((name: string) => name, { key: (name: number) => `${name}` });
});

Deno.test("Cache takes read-only collections, and says how invalidations ended", async () => {
  await using cache = new Cache(new MemoryStore());
  const keys: readonly string[] = ["a"];
  const tags: readonly string[] = ["t"];
  is<boolean>()(await cache.set("a", 1, { tags }), true);
  is<boolean>()(await cache.setMany([["a", 1], ["b", user]] as const), true);
  is<boolean>()(await cache.setMany({ a: 1 } as Readonly<Record<string, number>>, { tags }), true);
  is<InvalidationResult>()(await cache.invalidateMany(keys), true);
  is<InvalidationResult>()(await cache.invalidateMany(new Set(keys)), true);
  is<InvalidationResult>()(await cache.invalidateByTag(tags, { mode: "stale" }), true);
  is<boolean>()(await cache.delete("a"), true);
  is<number | undefined>()(await cache.ttl("a"), true);
  is<CacheStats>()(cache.stats(), true);
  is<"done" | "queued">()((await cache.clear()).status, true);
  // @ts-expect-error: there is no such mode
  await cache.invalidateByTag("t", { mode: "soft" }).catch(() => {});
  // @ts-expect-error: tags are strings
  await cache.set("a", 1, { tags: [1] }).catch(() => {});
  // @ts-expect-error: a wrong name of an option
  await cache.set("a", 1, { tll: 5 }).catch(() => {});
});

Deno.test("With a schema, what comes is what the schema makes of what is loaded", async () => {
  await using cache = new Cache(new MemoryStore());
  const Aged = z.object({ name: z.string(), age: z.number().default(3) });
  type Aged = z.output<typeof Aged>;
  const aged = { name: "Ada", age: 3 };
  // deno-lint-ignore no-explicit-any -- as response.json() gives it
  const json = (): Promise<any> => Promise.resolve({ name: "Ada" });
  const unsure = (): Promise<unknown> => Promise.resolve({ name: "Ada" });
  const plain = await cache.getOrSet("a", json, { schema: Aged });
  is<Aged>()(plain, true);
  assertEquals(plain, aged);
  is<Aged>()(await cache.getOrSet("b", unsure, { schema: Aged }), true);
  is<Aged>()(await cache.getOrSet("c", () => ({ name: "Ada" }), { schema: Aged }), true);
  const perhaps = (): { name: string } | undefined => undefined;
  is<Aged | undefined>()(await cache.getOrSet("d", perhaps, { schema: Aged }), true);
  is<Aged | null>()(await cache.getOrSet("e", json, { schema: Aged.nullable() }), true);
  const Day = z.object({ at: z.coerce.date() });
  const day = await cache.getOrSet("f", ({ stale, notModified, skip }) => {
    is<{ at: Date } | undefined>()(stale, true);
    if (stale) return notModified();
    return skip({ at: "2000-01-01" });
  }, { schema: Day, tags: ({ at }) => [at.toISOString()], ttl: ({ at }) => at.getFullYear() });
  is<{ at: Date }>()(day, true);
  assertEquals(day, { at: new Date("2000-01-01") });
  is<Map<string, Aged>>()(
    await cache.getOrSetMany(["g"], () => new Map([["g", { name: "Ada" }]]), { schema: Aged }),
    true,
  );
  is<Map<string, Aged>>()(await cache.getOrSetMany(["h"], async () => ({ h: await json() }), { schema: Aged }), true);
  const wrapped = cache.wrap((_id: number) => json(), { key: (id) => `i:${id}`, schema: Aged });
  is<Aged>()(await wrapped(1), true);
  const kind = cache.define({ name: "j", key: (id: number) => id, load: (_id) => json(), schema: Aged });
  is<Aged>()(await kind.get(1), true);
  const sure = cache.define({
    name: "k",
    key: (id: number) => id,
    load: (id, { stale }) => ({ name: `${stale?.age ?? id}` }),
    loadMany: (ids) => new Map(ids.map((id) => [id, { name: `${id}` }])),
    tags: ({ age }) => [`${age}`],
    schema: Aged,
  });
  is<Map<number, Aged>>()(await sure.getMany([1]), true);
  const given: { readonly schema: typeof Aged; readonly ttl: 5 } = { schema: Aged, ttl: 5 };
  is<Aged>()(await cache.getOrSet("l", unsure, given), true);

  // @ts-expect-error: the loader gives what the schema does not take
  await cache.getOrSet("m", () => ({ name: 1 }), { schema: Aged }).catch(() => {});
  // @ts-expect-error: a wrong name of an option
  await cache.getOrSet("n", json, { schema: Aged, tll: 5 }).catch(() => {});
});

Deno.test("Standard schemas of any library fit", async () => {
  await using cache = new Cache(new MemoryStore());
  is<User>()({} as SchemaOutput<typeof User>, true);
  const date = z.string().transform((text) => new Date(text));
  await cache.set("date", "2000-01-01");
  const found = await cache.get("date", { schema: date });
  is<Date | undefined>()(found, true);
  assertEquals(found, new Date("2000-01-01"));
  const schema: StandardSchema<unknown, User> = {
    "~standard": { version: 1, vendor: "test", validate: () => ({ value: user }) },
  };
  is<User | undefined>()(await cache.get("date", { schema }), true);
});

Deno.test("LarderEvent is told apart by its type", () => {
  const texts = (event: LarderEvent): string => {
    switch (event.type) {
      case "cache.hit":
        is<boolean>()(event.stale, true);
        return event.key;
      case "cache.load":
        is<number>()(event.milliseconds, true);
        return event.key;
      case "cache.invalidate":
        is<"key" | "tag" | "pattern" | "clear">()(event.by, true);
        return event.what.join();
      case "cache.error":
        is<string | undefined>()(event.key, true);
        return event.operation;
      default:
        return event.type;
    }
  };
  assertEquals(texts({ type: "cache.hit", key: "a", stale: false }), "a");
  assertEquals(texts({ type: "cache.epoch" }), "cache.epoch");
});
