import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { StandardSchema } from "../../src/values/standard_schema.ts";
import { SessionConflictError } from "../../src/errors.ts";
import { EventLog } from "../support/until.ts";
import type { SessionCase } from "./harness.ts";

const HOUR = 3_600_000;

/** Cases of the suite: what is stored of a session, read back and changed. */
export const DATA_CASES: Readonly<Record<string, SessionCase>> = {
  "create() and get() give the same session": async ({ open }) => {
    const sessions = await open();
    const request = new Request("http://localhost/", { headers: { "user-agent": "Firefox" } });
    const created = await sessions.create("ada", { theme: "dark", empty: undefined }, {
      tags: ["org:7", "staff"],
      request,
      address: "192.0.2.1",
    });
    assertEquals(created.data, { theme: "dark" });
    assertEquals([created.userId, created.version, created.touched], ["ada", 1, true]);
    assertEquals(created.tags, ["org:7", "staff"]);
    assertEquals(created.device, { userAgent: "Firefox", address: "192.0.2.1" });
    assertEquals(created.lastSeenAt, created.createdAt);
    assertEquals(created.expiresAt - created.createdAt, 24 * HOUR);
    assertNotEquals(created.handle, created.id);
    const other = await open();
    assertEquals(await other.get(created.id), { ...created, touched: false });
    assertEquals(await other.get(created.id, { roll: false }), { ...created, touched: false });
  },

  "data keep what the cache keeps": async ({ open }) => {
    const sessions = await open();
    const data = {
      date: new Date(7),
      map: new Map([["a", new Set([1n])]]),
      bytes: new Uint8Array([0, 255]),
      nothing: null,
      number: NaN,
      nested: { list: [1, { deep: undefined }] },
      "a name with spaces, ümläute and : { } *": "日本語 🎉",
      '"quoted"\\': '"\\',
      plain: '{"__proto__":1}\u0000\u007f é',
      0: "zero",
      "": "no name",
    };
    const { id } = await sessions.create("ada", data);
    assertEquals((await sessions.get(id))?.data, data);
    const { id: empty } = await sessions.create("ada", {});
    assertEquals((await sessions.get(empty))?.data, {});
  },

  "what get() gives is a copy": async ({ open }) => {
    const sessions = await open();
    const given = { list: ["a"] };
    const { id, data } = await sessions.create("ada", given);
    given.list.push("b");
    (data.list as string[]).push("c");
    const read = await sessions.get(id);
    (read!.data.list as string[]).push("d");
    assertEquals((await sessions.get(id))?.data, { list: ["a"] });
  },

  "update() changes what it names and leaves the rest": async ({ open }) => {
    const sessions = await open();
    const { id } = await sessions.create("ada", { a: 1, b: 2, c: 3 });
    const updated = await sessions.update(id, { a: undefined, b: 20, d: new Date(4) });
    assertEquals(updated?.data, { b: 20, c: 3, d: new Date(4) });
    assertEquals(updated?.version, 2);
    assertEquals((await sessions.get(id))?.data, updated?.data);
    assertEquals((await sessions.update(id, {}))?.version, 3);
    await sessions.update(id, { b: undefined, c: undefined, d: undefined });
    assertEquals((await sessions.get(id))?.data, {});
  },

  "update() by a function loses nothing": async ({ open }) => {
    const [one, two] = [await open(), await open()];
    const { id } = await one.create("ada", { count: 0 });
    const calls = Array.from({ length: 20 }, (_, i) =>
      (i % 2 ? one : two).update(id, async ({ count }) => {
        await Promise.resolve();
        return { count: count as number + 1 };
      }));
    for (const session of await Promise.all(calls)) assert(session);
    const after = await one.get(id);
    assertEquals([after?.data.count, after?.version], [20, 21]);
    await assertRejects(() => one.update(id, () => Promise.reject(new Error("no"))), Error, "no");
    assertEquals((await one.update(id, () => ({ count: 0 })))?.data, { count: 0 });
  },

  "update() with ifVersion happens to that version or not at all": async ({ open }) => {
    const sessions = await open();
    const { id } = await sessions.create("ada", { a: 1 });
    assertEquals((await sessions.update(id, { a: 2 }, { ifVersion: 1 }))?.data, { a: 2 });
    const error = await assertRejects(() => sessions.update(id, { a: 3 }, { ifVersion: 1 }), SessionConflictError);
    assertEquals(error.version, 2);
    await assertRejects(() => sessions.update(id, () => ({ a: 3 }), { ifVersion: 1 }), SessionConflictError);
    const [x, y] = await Promise.allSettled([
      sessions.update(id, { a: 4 }, { ifVersion: 2 }),
      sessions.update(id, { a: 5 }, { ifVersion: 2 }),
    ]);
    assertEquals([x.status, y.status].sort(), ["fulfilled", "rejected"]);
    assertEquals((await sessions.get(id))?.version, 3);
    await sessions.destroy(id);
    assertEquals(await sessions.update(id, { a: 6 }, { ifVersion: 3 }), undefined);
  },

  "typed() with a schema checks what comes and goes": async ({ open }) => {
    const log = new EventLog();
    const sessions = await open({}, log.on);
    const typed = sessions.typed<{ count: number }>({
      schema: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value) => {
            const { count } = value as { count?: unknown };
            return typeof count === "number" ? { value: { count } } : { issues: [{ message: "no count" }] };
          },
        },
      },
    });
    const { id } = await typed.create("ada", { count: 1 });
    assertEquals((await typed.get(id))?.data.count, 1);
    await assertRejects(() => typed.create("ada", {} as { count: number }), TypeError, "no count");
    await sessions.update(id, { count: "one" });
    assertEquals(await typed.get(id), undefined);
    assertEquals(log.of("session.schema_mismatch")[0]?.issues, ["no count"]);
    assert(await sessions.get(id));
  },

  "what get() gives cannot be used to change what is stored": async ({ open }) => {
    const sessions = await open();
    const { id } = await sessions.create("ada", { bytes: new Uint8Array([1]) }, { tags: ["a"] });
    const read = await sessions.get(id);
    (read!.data.bytes as Uint8Array)[0] = 7;
    try {
      (read!.tags as string[]).push("b");
    } catch {
      // It may as well be frozen.
    }
    const again = await sessions.get(id);
    assertEquals([again?.data, again?.tags], [{ bytes: new Uint8Array([1]) }, ["a"]]);
    assertEquals((await sessions.list("ada"))[0]?.tags, ["a"]);
  },

  "update() by a function that gives no fields, or too late, changes nothing": async ({ open }) => {
    const sessions = await open();
    const { id } = await sessions.create("ada", { a: 1 });
    for (const given of [undefined, null, 1, "a", [], new Date(), new Map()]) {
      await assertRejects(
        () => sessions.update(id, (() => given) as unknown as () => Record<string, unknown>),
        TypeError,
      );
    }
    await assertRejects(() => sessions.update(id, () => ({ b: () => 1 })), TypeError);
    assertEquals((await sessions.get(id))?.data, { a: 1 });
    const gone = sessions.update(id, async () => {
      await sessions.destroy(id);
      return { a: 2 };
    });
    assertEquals([await gone, await sessions.get(id)], [undefined, undefined]);
  },

  "typed() with a schema lets no change make a session unreadable": async ({ open }) => {
    const sessions = await open();
    const schema: StandardSchema<unknown, { count: number; name?: string }> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => {
          const { count, name } = value as { count?: unknown; name?: string };
          if (typeof count !== "number") return { issues: [{ message: "no count" }] };
          return { value: { count, name: name?.trim() ?? "nobody" } };
        },
      },
    };
    const typed = sessions.typed({ schema });
    // deno-lint-ignore no-explicit-any -- callers without types
    const any = typed as any;
    const { id, data } = await typed.create("ada", { count: 1 });
    assertEquals(data, { count: 1, name: "nobody" });
    const wrong = [
      () => any.update(id, { count: "one" }),
      () => any.update(id, { count: undefined }),
      () => any.update(id, () => ({ count: null })),
      () => any.regenerate(id, { data: { count: undefined } }),
      () => any.regenerate(id, { userId: "bob", data: { count: "one" } }),
    ];
    for (const change of wrong) {
      const error = await assertRejects(change, TypeError, "no count");
      assert(error.message.startsWith("Cannot "), error.message);
      assertEquals((await typed.get(id))?.version, 1);
    }
    assertEquals((await typed.update(id, { name: " Ada " }))?.data, { count: 1, name: "Ada" });
    assertEquals((await typed.update(id, ({ count }) => ({ count: count + 1 })))?.data.count, 2);
    await Promise.all(Array.from({ length: 20 }, (_, i) => any.update(id, { [`f${i}`]: i })));
    assertEquals(Object.keys((await sessions.get(id))!.data).length, 22, "changes at once all survive");
    const renewed = await typed.regenerate(id, { data: { count: 5 } });
    assertEquals([renewed?.data.count, await typed.get(id)], [5, undefined]);
    await sessions.update(renewed!.id, { count: "one" });
    assertEquals(await typed.update(renewed!.id, { name: "x" }).catch((error) => error.name), "TypeError");
    assertEquals(await typed.update(renewed!.id, { count: 1 }).then((session) => session?.data.count), 1, "mended");
  },
};
