import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { Session } from "../../src/sessions/session.ts";
import { EventLog } from "../support/until.ts";
import type { SessionCase } from "./harness.ts";

const HOUR = 3_600_000;

/** Cases of the suite: a new id for a session, and how many sessions a user has. */
export const RENEWAL_CASES: Readonly<Record<string, SessionCase>> = {
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
    assertEquals(list.map(({ userId }) => userId), ["ada", "ada"]);
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

  "regenerate() keeps the idle time of a session, for a new user too": async ({ open, advance }) => {
    const sessions = await open({ ttl: "24h" });
    for (const userId of ["ada", "bob", "eve", undefined]) {
      const visitor = await sessions.create(null, { a: 1 }, { ttl: "10m" });
      const user = await sessions.regenerate(visitor.id, userId === undefined ? {} : { userId });
      assertEquals(user!.expiresAt - user!.lastSeenAt, HOUR / 6);
      await advance(HOUR / 5);
      assertEquals(await sessions.get(user!.id), undefined);
    }
  },

  "maxPerUser is an option of all sessions, and no call changes it": async ({ open }) => {
    const sessions = await open({ maxPerUser: 2 });
    for (const maxPerUser of [undefined, 1, 0, "x"]) {
      const options = { maxPerUser } as Parameters<typeof sessions.create>[2];
      await assertRejects(() => sessions.create("ada", {}, options), TypeError, "wanted an option that there is");
      await sessions.create("ada", {});
    }
    assertEquals((await sessions.list("ada")).length, 2);
  },
};
