import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { RequestSession } from "../../src/sessions/request_session.ts";
import { Browser, type Page, tokenOf } from "./browser.ts";
import type { SessionCase } from "./harness.ts";

const login = (user: string) => (session: RequestSession) => session.regenerate({ userId: user });

/** Cases of the suite: requests that still carry the id from before a login, a logout or a renewal. */
export const GRACE_CASES: Readonly<Record<string, SessionCase>> = {
  "a request with the id from before a renewal goes on with the session, and leaves the cookie alone": async (
    { open },
  ) => {
    const sessions = await open();
    const browser = new Browser(sessions);
    const old = await browser.visit((session) => session.create("ada", { n: 1 }));
    const renewed = await browser.visit((session) => session.regenerate());
    assertNotEquals(renewed, old);
    const late = await browser.request(async (session) => {
      const { userId, data, handle } = (await session.get())!;
      assertEquals([userId, data, handle], ["ada", { n: 1 }, (await sessions.get(tokenOf(renewed)))!.handle]);
      assertEquals((await session.update({ m: 2 }))?.data, { n: 1, m: 2 });
      assertEquals((await session.update(({ n }) => ({ n: n as number + 1 })))?.data, { n: 2, m: 2 });
    }, old);
    assertEquals(late.cookie, "left");
    assertEquals((await sessions.get(tokenOf(renewed)))?.data, { n: 2, m: 2 });
    assertEquals((await sessions.list("ada")).length, 1);
  },

  "outside of requests the id from before a renewal is nothing at once": async ({ open }) => {
    const sessions = await open();
    const { id } = await sessions.create("ada", { n: 1 });
    const renewed = await sessions.regenerate(id);
    assertEquals(await sessions.get(id), undefined);
    assertEquals(await sessions.get(id, { roll: false }), undefined);
    assertEquals(await sessions.update(id, { n: 2 }), undefined);
    assertEquals(await sessions.update(id, () => ({ n: 2 })), undefined);
    assertEquals(await sessions.touch(id), false);
    assertEquals(await sessions.regenerate(id, { userId: "ada" }), undefined);
    assertEquals((await sessions.get(renewed!.id))?.data, { n: 1 });
    const browser = new Browser(sessions, `__Host-session=${id}`);
    assertEquals(await browser.userOf(), "ada", "a request reaches it all the same");
  },

  "a session that was renewed twice is found by both ids, and there is no third": async ({ open }) => {
    const sessions = await open();
    const browser = new Browser(sessions);
    const first = await browser.visit((session) => session.create("ada", {}));
    const second = await browser.visit((session) => session.regenerate());
    const third = await browser.visit((session) => session.regenerate());
    for (const old of [first, second]) {
      assertEquals(await browser.userOf(old), "ada");
      const again = await browser.request(async (session) => {
        assertEquals((await session.regenerate({ data: { by: old } }))?.data, { by: old });
      }, old);
      again.keep();
      assertEquals([again.cookie, browser.jar], ["sent", third], "that which it has, and no other");
    }
    assertEquals((await sessions.list("ada")).length, 1);
  },

  "a session that is renewed while a request has read it is still that request's": async ({ open }) => {
    const sessions = await open();
    const browser = new Browser(sessions);
    const old = await browser.visit((session) => session.create("ada", { n: 1 }));
    const late = await browser.request(async (session) => {
      await session.get();
      await browser.visit((other) => other.regenerate());
      assertEquals((await session.update({ n: 2 }))?.data, { n: 2 });
      await browser.visit((other) => other.regenerate());
      assertEquals((await session.update(({ n }) => ({ n: n as number + 1 })))?.data, { n: 3 });
    }, old);
    assertEquals([late.cookie, await browser.userOf()], ["left", "ada"]);
    await browser.visit(async (session) => assertEquals((await session.get())?.data, { n: 3 }));
  },

  "after a login a request with the visitor's id has no session, begins none and leaves the cookie alone": async (
    { open },
  ) => {
    const sessions = await open();
    for (
      const enter of [
        login("ada"),
        (session: RequestSession) => session.create("ada", {}),
        (session: RequestSession) => session.regenerate({ userId: "ada" }).then(() => session.regenerate()),
      ]
    ) {
      const browser = new Browser(sessions);
      const visitor = await browser.visit((session) => session.update({ basket: ["tea"] }));
      const user = await browser.visit(enter);
      const pages: ((session: RequestSession) => unknown)[] = [
        async (session) => assertEquals(await session.get(), undefined),
        async (session) => assertEquals(await session.update({ n: 1 }), undefined),
        async (session) => assertEquals(await session.update(() => ({ n: 1 })), undefined),
        async (session) => assertEquals(await session.regenerate(), undefined),
        async (session) => assertEquals(await session.destroy(), false),
      ];
      for (const page of pages) assertEquals((await browser.request(page, visitor)).cookie, "left");
      assertEquals(await browser.userOf(user), "ada");
      await sessions.destroyAll("ada");
    }
  },

  "a request that is under way when somebody else logs in is neither's": async ({ open }) => {
    const sessions = await open();
    const browser = new Browser(sessions);
    const ada = await browser.visit(login("ada"));
    await browser.visit(login("bob"));
    const late = await browser.request(async (session) => {
      assertEquals(await session.get(), undefined);
      assertEquals(await session.update({ n: 1 }), undefined);
    }, ada);
    assertEquals([late.cookie, await browser.userOf(), await sessions.list("ada")], ["left", "bob", []]);
  },

  "after a logout a request with the id from before begins no session": async ({ open }) => {
    const sessions = await open();
    const browser = new Browser(sessions);
    const old = await browser.visit((session) => session.create("ada", {}));
    const out = await browser.request((session) => session.destroy());
    assertEquals(out.cookie, "removed");
    const late = await browser.request(async (session) => {
      assertEquals(await session.update({ n: 1 }), undefined);
      assertEquals(await session.destroy(), false);
    }, old);
    assertEquals(late.cookie, "left");
    const next = await browser.request(login("ada"), old);
    assertEquals(next.cookie, "sent", "a login is a login");
  },

  "the end of a session is the end of both of its ids, whichever names it": async ({ open }) => {
    const sessions = await open();
    for (
      const end of [
        (old: string) => sessions.destroy(old),
        (_: string, renewed: string) => sessions.destroy(renewed),
        async (old: string) => {
          const answer = await new Browser(sessions).request(
            (session) => session.destroy(),
            `__Host-session=${old}`,
          );
          return answer.cookie === "removed";
        },
        async () => await sessions.destroyAll("ada") > 0,
        async () => await sessions.destroyByTag("t") > 0,
      ]
    ) {
      const { id } = await sessions.create("ada", {}, { tags: ["t"] });
      const renewed = await sessions.regenerate(id);
      assert(await end(id, renewed!.id));
      assertEquals(await sessions.get(renewed!.id), undefined);
      const browser = new Browser(sessions);
      for (const jar of [id, renewed!.id]) assertEquals(await browser.userOf(`__Host-session=${jar}`), undefined);
      const late = await browser.request(async (session) => {
        assertEquals(await session.update({ n: 1 }), undefined);
      }, `__Host-session=${id}`);
      assertEquals([late.cookie, await sessions.list("ada")], ["left", []]);
    }
  },

  "destroyAll() with an exception reaches the earlier ids of the exception too": async ({ open }) => {
    const sessions = await open();
    const browser = new Browser(sessions);
    const first = await browser.visit(login("ada"));
    const second = await browser.visit((session) => session.regenerate());
    const third = await browser.visit(async (session) => {
      const kept = await session.regenerate();
      await sessions.destroyAll("ada", { except: kept! });
    });
    for (const old of [first, second]) assertEquals(await browser.userOf(old), undefined);
    assertEquals(await browser.userOf(third), "ada");
    const fourth = await browser.visit((session) => session.regenerate());
    assertEquals([await browser.userOf(third), await browser.userOf(fourth)], ["ada", "ada"]);
  },

  "the grace has an end, and 0 is none": async ({ open, advance }) => {
    const sessions = await open({ renewalGrace: "30s" });
    const browser = new Browser(sessions);
    const old = await browser.visit(login("ada"));
    await browser.visit((session) => session.regenerate());
    await advance(29_000);
    assertEquals(await browser.userOf(old), "ada");
    await advance(2_000);
    assertEquals(await browser.userOf(old), undefined);
    const late = await browser.request((session) => session.get(), old);
    assertEquals(late.cookie, "left");
    const anew = await browser.request((session) => session.update({ n: 1 }), old);
    assertEquals(anew.cookie, "sent", "a visitor with an old cookie can begin anew");

    const strict = await open({ renewalGrace: 0 });
    const { id } = await strict.create("ada", {});
    await strict.regenerate(id);
    assertEquals(await new Browser(strict).userOf(`__Host-session=${id}`), undefined);
  },

  "a cookie that is sent again since the expiry moved is not sent over a new one": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h", touchEvery: "1m" });
    for (
      const meanwhile of [login("ada"), login("bob"), (session: RequestSession) => session.destroy()]
    ) {
      const browser = new Browser(sessions);
      const old = await browser.visit(login("ada"));
      await advance(120_000);
      const late = await browser.request(async (session) => {
        assertEquals((await session.get())?.touched, true);
        await browser.visit(meanwhile);
      }, old);
      assertEquals(late.cookie, "left");
      await sessions.destroyAll("ada");
    }
    const browser = new Browser(sessions);
    await browser.visit(login("ada"));
    await advance(120_000);
    assertEquals((await browser.request((session) => session.get())).cookie, "sent");
  },

  "a login that is sent twice leaves the user logged in, whichever answer comes last": async ({ open }) => {
    const sessions = await open({ maxPerUser: 2 });
    const begin: Page = (session) => session.update({ n: 1 });
    for (const [before, counts] of [[undefined, 2], [begin, 2], [login("ada"), 1]] as const) {
      for (const last of [0, 1]) {
        const elsewhere = await sessions.create("ada", {});
        const browser = new Browser(sessions);
        if (before) await browser.visit(before);
        const { jar } = browser;
        const answers = await Promise.all([
          browser.request(login("ada"), jar),
          browser.request(login("ada"), jar),
        ]);
        assertEquals(answers.map(({ cookie }) => cookie), ["sent", "sent"]);
        answers[1 - last]!.keep();
        answers[last]!.keep();
        assertEquals(await browser.userOf(), "ada");
        // On a cluster a visitor may be in another slot than the user.
        if (counts === 1) assert(await sessions.get(elsewhere.id), "it counts as one");
        await sessions.destroyAll("ada");
      }
    }
  },

  "whoever planted a visitor's id learns nothing of the login that came after": async ({ open }) => {
    const sessions = await open();
    const attacker = new Browser(sessions);
    const bait = await attacker.visit((session) => session.update({ basket: ["bait"] }));
    const victim = new Browser(sessions, bait);
    await victim.visit(login("ada"));
    assertEquals(await attacker.userOf(bait), undefined);
    const own = await attacker.request(login("eve"), bait);
    own.keep();
    assertEquals([await attacker.userOf(), await victim.userOf()], ["eve", "ada"]);
    assertEquals((await sessions.list("eve")).length, 1);
  },
};
