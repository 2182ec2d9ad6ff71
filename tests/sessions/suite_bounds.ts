import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Session } from "../../src/sessions/session.ts";
import { EventLog } from "../support/until.ts";
import type { SessionCase } from "./harness.ts";

const MINUTE = 60_000;

/** Cases of the suite: how much data, how many sessions, and how they are listed. */
export const BOUNDS_CASES: Readonly<Record<string, SessionCase>> = {
  "data are bounded by maxBytes, told with the number, and nothing is changed": async ({ open }) => {
    const sessions = await open();
    const { id } = await sessions.create("ada", { a: "x".repeat(60_000) });
    const refused = async (run: () => Promise<unknown>, action: string) => {
      const error = await assertRejects(run, RangeError);
      assert(
        /^Cannot (.*): wanted at most 65536 bytes of data \("maxBytes"\), got 6\d{4}$/.exec(error.message)?.[1] ===
          action,
        error.message,
      );
    };
    const much = "y".repeat(6_000);
    await refused(() => sessions.update(id, { b: much }), "update session");
    await refused(() => sessions.update(id, () => ({ b: much })), "update session");
    await refused(() => sessions.regenerate(id, { data: { b: much } }), "regenerate session");
    await refused(() => sessions.create("ada", { a: "x".repeat(66_000) }), "create session");
    await refused(() => sessions.updateAll("ada", { b: much }), "update sessions");
    const after = await sessions.get(id);
    assertEquals([after?.version, Object.keys(after!.data)], [1, ["a"]]);
    assertEquals((await sessions.update(id, { a: "x", b: much }))?.data.b, much, "what is replaced does not count");
  },

  "data that are larger than maxBytes already can be read, and may shrink": async ({ open }) => {
    const free = await open({ maxBytes: 0 });
    const { id } = await free.create("ada", { a: "x".repeat(90_000), b: "y".repeat(90_000), c: 1 });
    const sessions = await open();
    assertEquals((await sessions.get(id))?.data.c, 1);
    await assertRejects(() => sessions.update(id, { d: 1 }), RangeError, "got 1800");
    assertEquals((await sessions.update(id, { b: undefined }))?.data.c, 1);
    assertEquals((await sessions.update(id, { c: 2 }))?.data.c, 2);
    const renewed = await sessions.regenerate(id, { userId: "bob", data: { c: undefined } });
    assertEquals(Object.keys(renewed!.data), ["a"]);
    assertEquals((await sessions.update(renewed!.id, { a: "x", d: 1 }))?.data, { a: "x", d: 1 });
  },

  "a session has up to 1,000 fields, however they came": async ({ open }) => {
    const sessions = await open();
    const some = (from: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${from + i}`, 1]));
    const { id } = await sessions.create("ada", some(0, 600));
    assertEquals(Object.keys((await sessions.update(id, some(600, 400)))!.data).length, 1000);
    for (const run of [() => sessions.update(id, { more: 1 }), () => sessions.regenerate(id, { data: { more: 1 } })]) {
      await assertRejects(run, RangeError, "wanted at most 1000 fields, got 1001");
    }
    assertEquals((await sessions.update(id, { f0: undefined, more: 1 }))?.data.more, 1);
  },

  "list() goes from the newest, page by page": async ({ open, advance }) => {
    const sessions = await open();
    const all: Session[] = [];
    for (let i = 0; i < 7; i++) {
      all.unshift(await sessions.create("ada", {}));
      if (i % 2) await advance(MINUTE);
    }
    await advance(30 * MINUTE);
    await sessions.get(all[5]!.id); // use does not make it newer
    const handles = all.map(({ handle }) => handle);
    const page = async (options: Parameters<typeof sessions.list>[1]) =>
      (await sessions.list("ada", options)).map(({ handle }) => handle);
    assertEquals(await page({}), handles);
    assertEquals(await page({ limit: 3 }), handles.slice(0, 3));
    assertEquals(await page({ limit: 3, cursor: handles[2] }), handles.slice(3, 6));
    assertEquals(await page({ cursor: handles[5] }), handles.slice(6));
    assertEquals(await page({ limit: 3, cursor: handles[6] }), []);
    const [, second] = await sessions.list("ada", { limit: 2 });
    await sessions.destroy(second!);
    assertEquals((await page({ limit: 9, cursor: second })).at(-1), handles[6]);
    assertEquals((await page({ limit: 9, cursor: second })).includes(handles[0]!), false, "it goes on where it was");
    assertEquals(await page({ limit: 1, cursor: handles[1] }), [handles[0]!], "a handle that is gone tells no place");
    for (const limit of [0, -1, 1.5, "1"]) {
      await assertRejects(() => sessions.list("ada", { limit: limit as number }), RangeError, '"limit"');
    }
    for (const cursor of ["x", 7, null, {}]) {
      await assertRejects(() => sessions.list("ada", { cursor: cursor as string }), TypeError, '"cursor"');
    }
  },

  "maxPerUser tells which sessions went, the oldest or the least recently used": async ({ open, advance }) => {
    for (const whenFull of ["oldest", "least-recent"] as const) {
      const log = new EventLog();
      const sessions = await open({ maxPerUser: { limit: 2, whenFull } }, log.on);
      const user = `ada ${whenFull}`;
      const first = await sessions.create(user, {});
      await advance(10 * MINUTE);
      const second = await sessions.create(user, {});
      await advance(10 * MINUTE);
      await sessions.get(first.id);
      await sessions.create(user, {});
      const gone = whenFull === "oldest" ? first : second;
      assertEquals(log.of("session.evict"), [
        { type: "session.evict", userId: user, count: 1, handles: [gone.handle] },
      ]);
      assertEquals(await sessions.get(gone.id), undefined);
      assertEquals((await sessions.list(user)).length, 2);
    }
  },

  "maxPerUser that is turned on later ends up to 100 per login": async ({ open }) => {
    const before = await open();
    for (let i = 0; i < 350; i += 50) {
      await Promise.all(Array.from({ length: 50 }, () => before.create("ada", {})));
    }
    const sessions = await open({ maxPerUser: 10 });
    const counts: number[] = [];
    for (let i = 0; i < 5; i++) {
      await sessions.create("ada", {});
      counts.push((await sessions.list("ada")).length);
    }
    assertEquals(counts, [251, 152, 53, 10, 10]);
  },

  "a session that takes the place of another counts as one": async ({ open }) => {
    const log = new EventLog();
    const sessions = await open({ maxPerUser: 2 }, log.on);
    const phone = await sessions.create("ada", {});
    const app = sessions.withSession(async (_, session) => {
      await session.create("ada", {});
      await session.create("ada", {});
      await session.regenerate({ userId: "ada" });
      return new Response();
    });
    await app(new Request("https://localhost/"));
    assert(await sessions.get(phone.id));
    assertEquals([(await sessions.list("ada")).length, log.of("session.evict")], [2, []]);
  },

  "updateAll() changes all sessions of a user, which is no use of them": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h" });
    const all = await Promise.all(Array.from({ length: 450 }, (_, n) => sessions.create("ada", { n, old: 1 })));
    const bob = await sessions.create("bob", { old: 1 });
    await advance(30 * MINUTE);
    assertEquals(await sessions.updateAll("ada", { name: "Ada", old: undefined }), 450);
    const [some, other] = await Promise.all([sessions.get(all[449]!.id, { roll: false }), sessions.get(bob.id)]);
    assertEquals([some?.data, some?.version, other?.data], [{ n: 449, name: "Ada" }, 2, { old: 1 }]);
    assertEquals(await sessions.updateAll("nobody", { a: 1 }), 0);
    await advance(40 * MINUTE);
    assertEquals(await sessions.get(all[0]!.id), undefined);
    await assertRejects(() => sessions.updateAll("", {}), RangeError, "a user id of 1 to 512 bytes");
    await assertRejects(() => sessions.updateAll(7 as unknown as string, {}), TypeError, "as the user id");
  },

  "tags change with update(), updateAll() and regenerate()": async ({ open }) => {
    const sessions = await open();
    const login = () => sessions.create("ada", {}, { tags: ["a", "b"] });
    const [one, two, three] = [await login(), await login(), await login()];
    await sessions.destroyByTag("c"); // what was revoked before is none of this
    assertEquals((await sessions.update(one.id, { n: 1 }, { tags: ["b", "c"] }))?.tags, ["b", "c"]);
    assertEquals((await sessions.update(two.id, () => ({ n: 1 }), { tags: [] }))?.tags, []);
    const renewed = await sessions.regenerate(three.id, { tags: ["c"] });
    assertEquals(renewed?.tags, ["c"]);
    assertEquals(await sessions.destroyByTag("a"), 0);
    const alive = () => Promise.all([one, two, renewed!].map(async ({ id }) => (await sessions.get(id))?.tags));
    assertEquals(await alive(), [["b", "c"], [], ["c"]]);
    assertEquals(await sessions.destroyByTag("c"), 2);
    assertEquals(await alive(), [undefined, [], undefined]);
    assertEquals(await sessions.updateAll("ada", {}, { tags: ["d"] }), 1);
    assertEquals([await sessions.destroyByTag("d"), await sessions.list("ada")], [1, []]);
    await assertRejects(() => sessions.update(one.id, {}, { tags: "x" as unknown as string[] }), TypeError, "tags");
  },

  "destroy() with a user ends that user's session only": async ({ open }) => {
    const sessions = await open();
    const [ada, visitor] = [await sessions.create("ada", {}), await sessions.create(null, {})];
    for (const userId of ["bob", "", null, "u:ada"]) {
      assertEquals(await sessions.destroy({ handle: ada.handle, userId }), false);
    }
    assert(await sessions.get(ada.id));
    await assertRejects(
      () => sessions.destroy({ handle: ada.handle, userId: undefined } as unknown as { handle: string }),
      TypeError,
      "wanted a string as the user id, got undefined",
    );
    assertEquals(await sessions.destroy({ handle: ada.handle, userId: "ada" }), true);
    assertEquals(await sessions.destroy({ handle: visitor.handle, userId: "ada" }), false);
    assertEquals(await sessions.destroy({ handle: visitor.handle, userId: null }), true);
    const again = await sessions.create("ada", {});
    assertEquals(await sessions.destroy(again), true, "a session as a whole has its user");
  },

  "a login does not fail for its address": async ({ open }) => {
    const sessions = await open();
    const list = ["198.51.100.7", ...Array.from({ length: 20 }, () => "203.0.113.9")].join(", ");
    await sessions.create("ada", {}, { address: list });
    await sessions.create("ada", {}, { address: null });
    const { id } = await sessions.create(null, {});
    await sessions.regenerate(id, { userId: "ada", address: list });
    const addresses = (await sessions.list("ada")).map(({ device }) => device?.address);
    assertEquals(addresses, [list.slice(0, 64), undefined, list.slice(0, 64)]);
  },
};
