import { assert, assertEquals } from "@std/assert";
import { EventLog } from "../support/until.ts";
import type { SessionCase } from "./harness.ts";

/** Cases of the suite: how sessions are ended. */
export const REVOCATION_CASES: Readonly<Record<string, SessionCase>> = {
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
};
