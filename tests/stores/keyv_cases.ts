import { assert, assertEquals, assertRejects } from "@std/assert";

/** As much of Keyv 5 and 6 as their own suite uses. */
export interface KeyvLike {
  namespace?: string | undefined;
  get(key: string): Promise<unknown>;
  get(keys: string[]): Promise<unknown[]>;
  set(key: string, value: unknown, ttl?: number): Promise<boolean>;
  has(key: string): Promise<boolean>;
  delete(key: string): Promise<boolean>;
  delete(keys: string[]): Promise<boolean | boolean[]>;
  clear(): Promise<void>;
  iterator(namespace?: string): AsyncGenerator<[string, unknown]>;
}

/** Makes a Keyv over a store of its own. */
export type Make = (options?: Record<string, unknown>) => KeyvLike;

/** A case, by the name that `@keyv/test-suite` has for it. */
export type KeyvCase = readonly [name: string, run: (make: Make, version: number) => Promise<void>];

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function roundTrip(make: Make, value: unknown, key = "foo"): Promise<void> {
  const keyv = make();
  await keyv.set(key, value);
  assertEquals(await keyv.get(key), value);
}

const API: readonly KeyvCase[] = [
  [".set(key, value) resolves to true", async (make) => assertEquals(await make().set("foo", "bar"), true)],
  [".set(key, value) sets a value", (make) => roundTrip(make, "bar")],
  [".set(key, value, ttl) sets a value that expires", async (make) => {
    const keyv = make();
    await keyv.set("foo", "bar", 60);
    await keyv.set("long", "bar", 60_000);
    await pause(90);
    assertEquals(await keyv.get(["foo", "long"]), [undefined, "bar"]);
    assertEquals([await keyv.has("foo"), await keyv.has("long")], [false, true]);
  }],
  [".set(), .get(), .delete(), .clear() return promises", async (make) => {
    const keyv = make();
    const made = [keyv.set("foo", 1), keyv.get("foo"), keyv.delete("foo"), keyv.delete(["foo"]), keyv.clear()];
    assert(made.every((one) => one instanceof Promise));
    await Promise.all(made);
  }],
  [".get(key) with nonexistent key resolves to undefined", async (make) => {
    assertEquals(await make().get("foo"), undefined);
  }],
  [".get([keys]) should return array values, with undefined", async (make) => {
    const keyv = make();
    await Promise.all([keyv.set("foo", "bar", 3000), keyv.set("foo2", "bar2", 3000)]);
    assertEquals(await keyv.get(["foo", "foo1", "foo2"]), ["bar", undefined, "bar2"]);
    assertEquals(await keyv.get(["none", "neither"]), [undefined, undefined]);
  }],
  [".delete(key) resolves to true and deletes, to false for a nonexistent key", async (make) => {
    const keyv = make();
    await keyv.set("foo", "bar");
    assertEquals([await keyv.delete("foo"), await keyv.get("foo"), await keyv.delete("foo")], [true, undefined, false]);
  }],
  [".deleteMany([keys]) should delete multiple keys, and tells that there were none", async (make) => {
    const keyv = make();
    for (const key of ["foo", "foo1", "foo2"]) await keyv.set(key, "bar");
    assert([await keyv.delete(["foo", "foo1", "foo2"])].flat().every(Boolean));
    assertEquals(await keyv.get(["foo", "foo1", "foo2"]), [undefined, undefined, undefined]);
    assert(![await keyv.delete(["foo", "foo1"])].flat().some(Boolean));
  }],
  [".clear() deletes all key/value pairs, and resolves to undefined", async (make) => {
    const keyv = make();
    assertEquals(await keyv.clear(), undefined);
    await keyv.set("foo", "bar");
    await keyv.set("fizz", "buzz");
    assertEquals(await keyv.clear(), undefined);
    assertEquals(await keyv.get(["foo", "fizz"]), [undefined, undefined]);
  }],
  [".has(key) where key is the key we are looking for", async (make) => {
    const keyv = make();
    await keyv.set("foo", "bar");
    assertEquals([await keyv.has("foo"), await keyv.has("fizz")], [true, false]);
  }],
];

const VALUES: readonly KeyvCase[] = [
  ["value can be false, null, 0, quotes, an object", async (make) => {
    for (const value of [false, null, 0, '"', "'", "''", "", { fizz: "buzz" }]) await roundTrip(make, value);
  }],
  ["value can be undefined", async (make) => {
    const keyv = make();
    await keyv.set("foo", undefined);
    assertEquals(await keyv.get("foo"), undefined);
  }],
  ["value can be a buffer, and an object containing one", async (make) => {
    const { Buffer } = await import("node:buffer");
    const keyv = make();
    await keyv.set("foo", Buffer.from("bar"));
    await keyv.set("in", { buff: Buffer.from("buzz") });
    assert(Buffer.from("bar").equals(await keyv.get("foo") as Uint8Array));
    assert(Buffer.from("buzz").equals((await keyv.get("in") as { buff: Uint8Array }).buff));
  }],
  ["value can not be symbol", async (make, version) => {
    const set = () => make().set("foo", Symbol("value"));
    if (version === 5) await assertRejects(set, Error, "symbol cannot be serialized");
    else assertEquals(await set(), false);
  }],
  ["value can be BigInt using another serializer", async (make, version) => {
    const [stringify, parse] = [
      (data: unknown) => JSON.stringify(data, (_, value) => typeof value === "bigint" ? `${value}n` : value),
      (text: string) => JSON.parse(text, (_, value) => /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value),
    ];
    const options = version === 5
      ? { serialize: stringify, deserialize: parse }
      : { serialization: { stringify, parse } };
    const keyv = make(options);
    await keyv.set("foo", 9223372036854775807n);
    assertEquals(await keyv.get("foo"), 9223372036854775807n);
  }],
  ["a key may be quotes, and what patterns are made of", async (make) => {
    for (const key of ["'", '"', "a*b", "[a]", "a?b", "\\", "é"]) await roundTrip(make, "value", key);
  }],
];

const NAMESPACES: readonly KeyvCase[] = [
  ["namespaced set/get don't collide, and delete and clear are of the own namespace", async (make) => {
    const [one, two] = [make({ namespace: "keyv1" }), make({ namespace: "keyv2" })];
    for (const key of ["foo", "bar"]) await Promise.all([one.set(key, "keyv1"), two.set(key, "keyv2")]);
    assertEquals([await one.get("foo"), await two.get("foo")], ["keyv1", "keyv2"]);
    assertEquals([await one.delete("foo"), await one.get("foo"), await two.get("foo")], [true, undefined, "keyv2"]);
    await one.clear();
    assertEquals([await one.get("bar"), await two.get(["foo", "bar"])], [undefined, ["keyv2", "keyv2"]]);
  }],
  ["a namespace is no pattern", async (make) => {
    const [one, two] = [make({ namespace: "a*b" }), make({ namespace: "axb" })];
    await Promise.all([one.set("foo", 1), two.set("foo", 2)]);
    await one.clear();
    assertEquals([await one.get("foo"), await two.get("foo")], [undefined, 2]);
  }],
];

async function entries(keyv: KeyvLike): Promise<[string, unknown][]> {
  return (await Array.fromAsync(keyv.iterator(keyv.namespace))).sort();
}

const ITERATORS: readonly KeyvCase[] = [
  [".iterator() returns an asyncIterator over all values", async (make) => {
    const keyv = make({ namespace: "all" });
    assertEquals(typeof keyv.iterator("all")[Symbol.asyncIterator], "function");
    const all = Array.from({ length: 5 }, (_, i): [string, string] => [String(i), String(i + 10)]);
    await Promise.all(all.map(([key, value]) => keyv.set(key, value)));
    assertEquals(await entries(keyv), all);
  }],
  ["iterator() doesn't yield values from other namespaces", async (make) => {
    const [one, two] = [make({ namespace: "keyv1" }), make({ namespace: "keyv2" })];
    await Promise.all([one.set("a", 1), two.set("a", 2), two.set("b", 3)]);
    assertEquals(await entries(two), [["a", 2], ["b", 3]]);
  }],
  ["iterator() doesn't yield expired values", async (make) => {
    const keyv = make({ namespace: "old" });
    await Promise.all(["1", "2"].map((key) => keyv.set(key, key, 40)));
    await keyv.set("foo", "bar");
    await pause(70);
    assertEquals(await entries(keyv), [["foo", "bar"]]);
  }],
];

/** What `@keyv/test-suite` asks for of every store, those that belong together as one. */
export const KEYV_CASES: readonly KeyvCase[] = [...API, ...VALUES, ...NAMESPACES, ...ITERATORS];
