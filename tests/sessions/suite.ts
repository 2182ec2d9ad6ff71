import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { SessionConflictError } from "../../src/errors.ts";
import type { Session } from "../../src/sessions/session.ts";
import { EventLog } from "../support/until.ts";
import type { SessionCase } from "./harness.ts";

const HOUR = 3_600_000;

/** What sessions do, on any store. */
export const SESSION_CASES: Readonly<Record<string, SessionCase>> = {
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

  "users and tags may have any name": async ({ open }) => {
    const sessions = await open();
    const names = ["a:b", "{a}", "*", "ü 日本", "__proto__", "u:ada", "0", "n", "k", "x"];
    const all = await Promise.all(names.map((name) => sessions.create(name, {}, { tags: [name] })));
    for (const [i, name] of names.entries()) {
      assertEquals((await sessions.list(name)).map(({ handle }) => handle), [all[i]!.handle]);
    }
    for (const [i, name] of names.entries()) {
      assertEquals(await (i % 2 ? sessions.destroyAll(name) : sessions.destroyByTag(name)), 1, name);
      assertEquals(await Promise.all(all.map(async ({ id }) => await sessions.get(id) === undefined)), [
        ...Array(i + 1).fill(true),
        ...Array(names.length - i - 1).fill(false),
      ]);
    }
  },

  "what is no token is no session": async ({ open }) => {
    const log = new EventLog();
    const sessions = await open({}, log.on);
    const { id, handle } = await sessions.create("ada", {});
    for (const wrong of ["", " ", "x", id.slice(1), `${id}A`, ` ${id}`, `${id}\n`, handle, "*", "../../etc"]) {
      assertEquals(await sessions.get(wrong), undefined);
      assertEquals(await sessions.touch(wrong), false);
      assertEquals(await sessions.update(wrong, { a: 1 }), undefined);
      assertEquals(await sessions.destroy(wrong), false);
      assertEquals(await sessions.regenerate(wrong), undefined);
    }
    assertEquals(await sessions.get(undefined), undefined);
    assertEquals(log.of("session.unknown"), []);
    const other = id.slice(0, -2) + (id.at(-2) === "A" ? "B" : "A") + id.at(-1);
    assertEquals(await sessions.get(other), undefined);
    assertEquals(log.of("session.unknown").length, 1);
    assert(await sessions.get(id));
  },

  "what is of the wrong kind is refused and not shown": async ({ open, size }) => {
    const sessions = await open();
    // deno-lint-ignore no-explicit-any -- callers without types
    const any = sessions as any;
    for (
      const call of [
        () => any.get(7),
        () => any.get({ id: "secret" }),
        () => any.destroy(7),
        () => any.destroy({ handle: 7 }),
        () => any.create(7, {}),
        () => any.create(undefined, {}),
        () => any.create("ada"),
        () => any.create("ada", []),
        () => any.create("ada", "secret"),
        () => any.create("ada", { f: () => 1 }),
        () => any.create("a\nb", {}),
        () => any.create("ada", {}, { tags: "staff" }),
        () => any.create("ada", {}, { address: {} }),
        () => any.update("x", null),
        () => any.destroyAll(7),
        () => any.destroyByTag(7),
        () => any.list(7),
      ]
    ) {
      const error = await assertRejects(call, TypeError);
      assert(!error.message.includes("secret"), error.message);
      assertMatch(error.message, /^Cannot .*: wanted .*, got /);
    }
    for (
      const call of [
        () => sessions.create("", {}),
        () => sessions.create("x".repeat(513), {}),
        () => sessions.create("ada", {}, { ttl: -1 }),
        () => sessions.create("ada", { ["x".repeat(257)]: 1 }),
        () => sessions.create("ada", Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [i, i]))),
        () => sessions.update("x", {}, { ifVersion: 0 }),
        () => sessions.list(""),
        () => sessions.destroyAll(""),
      ]
    ) await assertRejects(call, RangeError);
    assertEquals(await size(), 0);
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

  "destroy() ends a session by its id, by its handle and for good": async ({ open, size }) => {
    const log = new EventLog();
    const sessions = await open({}, log.on);
    const [a, b] = [await sessions.create("ada", { a: 1 }), await sessions.create("ada", {}, { tags: ["t"] })];
    assertEquals([await sessions.destroy(a.id), await sessions.destroy(a.id)], [true, false]);
    assertEquals([await sessions.destroy({ handle: b.handle }), await sessions.destroy(b)], [true, false]);
    for (const { id } of [a, b]) {
      assertEquals(await sessions.get(id), undefined);
      assertEquals(await sessions.touch(id), false);
      assertEquals(await sessions.update(id, { a: 2 }), undefined);
      assertEquals(await sessions.update(id, () => ({ a: 2 })), undefined);
      assertEquals(await sessions.regenerate(id), undefined);
      assertEquals(await sessions.get(id), undefined);
    }
    assertEquals(await sessions.list("ada"), []);
    assertEquals(log.of("session.destroy").map(({ handle }) => handle), [a.handle, b.handle]);
    assert(await size() <= 1, "only the ledger is left");
  },

  "a session ends when it is not used": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h" });
    const { id } = await sessions.create("ada", {});
    for (let i = 0; i < 5; i++) {
      await advance(0.9 * HOUR);
      assertEquals((await sessions.get(id))?.touched, true);
    }
    await advance(0.9 * HOUR);
    assertEquals(await sessions.touch(id), true);
    await advance(0.9 * HOUR);
    assert(await sessions.get(id, { roll: false }));
    await advance(0.2 * HOUR);
    assertEquals(await sessions.get(id), undefined);
    assertEquals(await sessions.update(id, { a: 1 }), undefined);
    assertEquals(await sessions.destroy(id), false);
    assertEquals(await sessions.list("ada"), []);
  },

  "a session ends at its absolute end, however it is used": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h", absoluteTtl: "3h" });
    const { id, createdAt } = await sessions.create("ada", {});
    const absolute = createdAt + 3 * HOUR;
    let [at, expiresAt] = [0, 0];
    for (; at < 2.9 * HOUR; at += 0.5 * HOUR) {
      const session = await sessions.get(id);
      expiresAt = session!.expiresAt;
      await advance(0.5 * HOUR);
    }
    // On Redis the stored times are made earlier in place of waiting.
    assert(Math.abs(expiresAt - absolute) <= 3 * HOUR);
    assertEquals(await sessions.get(id), undefined);
  },

  "absoluteTtl bounds expiresAt, and a session that cannot be prolonged is not touched": async ({ open, advance }) => {
    const sessions = await open({ ttl: "2h", absoluteTtl: "2h" });
    const { id, createdAt, expiresAt } = await sessions.create("ada", {});
    assertEquals(expiresAt - createdAt, 2 * HOUR);
    await advance(1.5 * HOUR);
    const session = await sessions.get(id);
    assertEquals([session!.expiresAt - session!.createdAt, session!.touched], [2 * HOUR, false]);
    await advance(0.6 * HOUR);
    assertEquals(await sessions.get(id), undefined);
  },

  "times of one session may differ from those of the others, and 0 is for ever": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h" });
    const short = await sessions.create("ada", {}, { ttl: "10m" });
    const ends = await sessions.create("ada", {}, { ttl: 0, absoluteTtl: "2h" });
    const ever = await sessions.create("ada", {}, { ttl: 0, absoluteTtl: 0 });
    assertEquals(short.expiresAt - short.createdAt, HOUR / 6);
    assertEquals(ends.expiresAt - ends.createdAt, 2 * HOUR);
    assertEquals(ever.expiresAt, Infinity);
    const alive = () => Promise.all([short, ends, ever].map(async ({ id }) => Boolean(await sessions.get(id))));
    await advance(0.2 * HOUR);
    assertEquals(await alive(), [false, true, true]);
    await advance(2 * HOUR);
    assertEquals(await alive(), [false, false, true]);
    await advance(1000 * 24 * HOUR);
    assertEquals(await alive(), [false, false, true]);
    assertEquals((await sessions.list("ada")).length, 1);
    assertEquals(await sessions.destroyAll("ada"), 1);
    assertEquals(await sessions.get(ever.id), undefined);
  },

  "use is written down at most every touchEvery, and touched tells it": async ({ open, advance }) => {
    const sessions = await open({ ttl: "2h", touchEvery: "10m" });
    const { id } = await sessions.create("ada", {});
    const seen: (boolean | undefined)[] = [];
    for (let i = 0; i < 6; i++) {
      seen.push((await sessions.get(id))?.touched, (await sessions.get(id))?.touched);
      await advance(HOUR / 12);
    }
    assertEquals(seen, [false, false, false, false, true, false, false, false, true, false, false, false]);
    assertEquals((await sessions.update(id, { a: 1 }))?.touched, true);
    assertEquals((await sessions.update(id, { a: 2 }))?.touched, false);
  },

  "by default use is written down every 24th of the time to live, every 5 minutes at most": async (
    { open, advance },
  ) => {
    const sessions = await open({ ttl: "24m" });
    const { id } = await sessions.create("ada", {});
    const { id: long } = await sessions.create("ada", {}, { ttl: "24h" });
    await advance(50_000);
    assertEquals((await sessions.get(id))?.touched, false);
    await advance(15_000);
    assertEquals((await sessions.get(id))?.touched, true);
    await advance(230_000);
    assertEquals((await sessions.get(long))?.touched, false);
    await advance(10_000);
    assertEquals((await sessions.get(long))?.touched, true);
  },

  "regenerate() gives a new id and keeps the rest": async ({ open, advance }) => {
    const log = new EventLog();
    const sessions = await open({ ttl: "1h", absoluteTtl: "3h" }, log.on);
    const old = await sessions.create("ada", { a: 1, b: 2 }, { tags: ["t"], address: "192.0.2.1" });
    await advance(0.5 * HOUR);
    const renewed = await sessions.regenerate(old.id, { data: { a: undefined, c: 3 } });
    assert(renewed);
    assertNotEquals([renewed.id, renewed.handle], [old.id, old.handle]);
    assertEquals([renewed.userId, renewed.tags, renewed.device], ["ada", ["t"], { address: "192.0.2.1" }]);
    assertEquals([renewed.data, renewed.version, renewed.touched], [{ b: 2, c: 3 }, 2, true]);
    assertEquals([await sessions.get(old.id), await sessions.regenerate(old.id)], [undefined, undefined]);
    assertEquals((await sessions.get(renewed.id))?.data, { b: 2, c: 3 });
    assertEquals((await sessions.list("ada")).map(({ handle }) => handle), [renewed.handle]);
    assertEquals(log.of("session.regenerate"), [
      { type: "session.regenerate", from: old.handle, handle: renewed.handle },
    ]);
    assertEquals(await sessions.destroyByTag("t"), 1);
    assertEquals(await sessions.get(renewed.id), undefined);
  },

  "regenerate() does not move the absolute end": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h", absoluteTtl: "90m" });
    const old = await sessions.create("ada", {});
    await advance(0.8 * HOUR);
    const renewed = await sessions.regenerate(old.id);
    await advance(0.6 * HOUR);
    assert(await sessions.get(renewed!.id));
    await advance(0.2 * HOUR);
    assertEquals(await sessions.get(renewed!.id), undefined);
  },

  "regenerate() makes the session of a visitor that of a user, from now on": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h", absoluteTtl: "90m", maxPerUser: 1 });
    const first = await sessions.create("ada", {});
    const visitor = await sessions.create(null, { basket: ["tea"] });
    assertEquals([visitor.userId, (await sessions.get(visitor.id))?.userId], ["", ""]);
    await advance(0.8 * HOUR);
    const user = await sessions.regenerate(visitor.id, { userId: "ada" });
    assertEquals([user?.userId, user?.data], ["ada", { basket: ["tea"] }]);
    assertEquals(await sessions.get(visitor.id), undefined);
    assertEquals(await sessions.get(first.id), undefined, "one session per user");
    await advance(0.8 * HOUR);
    assert(await sessions.get(user!.id));
    await advance(0.8 * HOUR);
    assertEquals(await sessions.get(user!.id), undefined);
  },

  "list() shows a user's own sessions, no tokens and no data": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h" });
    const first = await sessions.create("ada", { secret: "data" }, { tags: ["t"], address: "192.0.2.1" });
    await advance(HOUR / 2);
    const second = await sessions.create("ada", {});
    await sessions.create("bob", {});
    await sessions.create(null, {});
    const list = await sessions.list("ada");
    assertEquals(list.map(({ handle }) => handle), [second.handle, first.handle]);
    assertEquals(list[1]!.device, { address: "192.0.2.1" });
    assertEquals(list[1]!.tags, ["t"]);
    assertEquals("device" in list[0]!, false);
    const shown = JSON.stringify(list);
    for (const { id } of [first, second]) assert(!shown.includes(id));
    assert(!shown.includes("secret") && !shown.includes("data"));
    assertEquals(await sessions.list("nobody"), []);
    assertEquals(await sessions.get(first.handle), undefined);
    await advance(0.6 * HOUR);
    assertEquals((await sessions.list("ada")).map(({ handle }) => handle), [second.handle]);
  },

  "maxPerUser ends the oldest": async ({ open }) => {
    const log = new EventLog();
    const sessions = await open({ maxPerUser: 3 }, log.on);
    const all: Session[] = [];
    for (let i = 0; i < 5; i++) all.push(await sessions.create("ada", { i }, { tags: ["t"] }));
    await sessions.create("bob", {});
    const alive = await Promise.all(all.map(async ({ id }) => Boolean(await sessions.get(id))));
    assertEquals(alive, [false, false, true, true, true]);
    assertEquals(log.of("session.evict").map(({ userId, count }) => [userId, count]), [["ada", 1], ["ada", 1]]);
    await sessions.destroy(all[3]!.id);
    const more = await sessions.create("ada", {});
    assert(await sessions.get(all[2]!.id), "there was room");
    assertEquals((await sessions.list("ada")).length, 3);
    assertEquals(await sessions.destroyByTag("t"), 2);
    assert(await sessions.get(more.id));
    const visitors = await Promise.all(Array.from({ length: 5 }, () => sessions.create(null, {})));
    for (const { id } of visitors) assert(await sessions.get(id), "visitors are many");
  },

  "maxPerUser counts neither expired nor other sessions": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h", maxPerUser: 2 });
    await sessions.create("ada", {});
    const kept = await sessions.create("ada", {}, { ttl: "3h" });
    await advance(1.1 * HOUR);
    const last = await sessions.create("ada", {});
    assert(await sessions.get(kept.id) && await sessions.get(last.id));
  },

  "destroyAll() ends all sessions of a user, or all but one": async ({ open }) => {
    const log = new EventLog();
    const sessions = await open({}, log.on);
    const login = () => sessions.create("ada", {}, { tags: ["t"] });
    const [a, b, c, d] = [await login(), await login(), await login(), await login()];
    const bob = await sessions.create("bob", {}, { tags: ["t"] });
    assertEquals(await sessions.destroyAll("ada", { except: b }), 3);
    assertEquals(
      [await sessions.get(a.id), await sessions.get(c.id), await sessions.get(d.id)],
      Array(3).fill(undefined),
    );
    assertEquals((await sessions.list("ada")).map(({ handle }) => handle), [b.handle]);
    const e = await login();
    assertEquals(await sessions.destroyAll("ada", { except: e.id }), 1);
    assertEquals([await sessions.get(b.id), Boolean(await sessions.get(e.id))], [undefined, true]);
    assertEquals(await sessions.destroyAll("ada", { except: bob }), 1, "another's session is no exception");
    assertEquals(await sessions.destroyAll("ada"), 0);
    assert(await sessions.get(bob.id));
    const again = await login();
    assert(await sessions.get(again.id), "who logs in afterwards is in");
    assertEquals(await sessions.destroyAll("nobody"), 0);
    const { by, what, count } = log.of("session.revoke")[0]!;
    assertEquals([by, what, count], ["user", "ada", 3]);
  },

  "destroyByTag() ends the sessions with a tag": async ({ open }) => {
    const sessions = await open();
    const org = (userId: string, ...tags: string[]) => sessions.create(userId, {}, { tags });
    const [a, b, c] = [await org("ada", "org:7", "x"), await org("bob", "org:7"), await org("eve", "org:8")];
    const visitor = await sessions.create(null, {}, { tags: ["org:7"] });
    assertEquals(await sessions.destroyByTag("org:7"), 3);
    assertEquals([await sessions.get(a.id), await sessions.get(b.id)], [undefined, undefined]);
    assertEquals(await sessions.get(visitor.id), undefined);
    assert(await sessions.get(c.id));
    const again = await org("ada", "org:7");
    assert(await sessions.get(again.id));
    assertEquals(await sessions.destroyByTag("x"), 0);
    assertEquals((await sessions.list("ada")).length, 1);
    assertEquals(await sessions.destroyByTag("org:7"), 1);
  },

  "a signal ends the wait": async ({ open }) => {
    const sessions = await open();
    const { id } = await sessions.create("ada", {});
    const signal = AbortSignal.abort(new Error("enough"));
    for (
      const call of [
        () => sessions.create("ada", {}, { signal }),
        () => sessions.get(id, { signal }),
        () => sessions.touch(id, { signal }),
        () => sessions.update(id, {}, { signal }),
        () => sessions.update(id, () => ({}), { signal }),
        () => sessions.regenerate(id, { signal }),
        () => sessions.list("ada", { signal }),
        () => sessions.destroy(id, { signal }),
        () => sessions.destroyAll("ada", { signal }),
        () => sessions.destroyByTag("t", { signal }),
      ]
    ) await assertRejects(call, Error, "enough");
    assert(await sessions.get(id));
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
};
