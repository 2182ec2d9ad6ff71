import { assert, assertEquals } from "@std/assert";
import type { RequestSession } from "../../src/sessions/request_session.ts";
import { Browser, type Page, tokenOf } from "./browser.ts";
import type { SessionCase } from "./harness.ts";

/** The ways to log in. */
const LOGINS: ((user: string) => Page)[] = [
  (user) => (session) => session.regenerate({ userId: user }),
  (user) => (session) => session.create(user, {}),
];
const renew: Page = (session) => session.regenerate();

/** Cases of the suite: what a login leaves of the sessions that were there before. */
export const LOGIN_CASES: Readonly<Record<string, SessionCase>> = {
  "a login takes along what another request has renewed a moment ago": async ({ open }) => {
    const sessions = await open();
    for (const times of [1, 2, 3]) {
      const browser = new Browser(sessions);
      const visitor = await browser.visit((session) => session.update({ basket: ["tea"] }));
      for (let i = 0; i < times; i++) await browser.visit(renew);
      const renewed = browser.jar;
      const page: Page = async (session) => {
        assertEquals((await session.get())?.data, { basket: ["tea"] });
        assertEquals((await session.regenerate({ userId: "ada" })).data, { basket: ["tea"] });
      };
      (await browser.request(page, visitor)).keep();
      assertEquals([await browser.userOf(), await browser.userOf(renewed)], ["ada", undefined]);
      assertEquals(await sessions.get(tokenOf(renewed)), undefined);
      const late = await browser.request((session) => session.update({ n: 1 }), renewed);
      assertEquals([late.cookie, (await sessions.list("ada")).length], ["left", 1]);
      await sessions.destroyAll("ada");
    }
  },

  "a login as somebody else ends what another request has renewed a moment ago": async ({ open }) => {
    const sessions = await open();
    for (const login of LOGINS) {
      for (const read of [true, false]) {
        const browser = new Browser(sessions);
        const ada = await browser.visit(login("ada"));
        const renewed = await browser.visit(renew);
        const page: Page = async (session) => {
          if (read) await session.get();
          await login("bob")(session);
        };
        (await browser.request(page, ada)).keep();
        assertEquals([await browser.userOf(), await browser.userOf(renewed)], ["bob", undefined]);
        assertEquals([await sessions.list("ada"), (await sessions.list("bob")).length], [[], 1]);
        await sessions.destroyAll("bob");
      }
    }
  },

  "a login does not take along the login of somebody else": async ({ open }) => {
    const sessions = await open();
    for (const login of LOGINS) {
      const browser = new Browser(sessions);
      const bait = await browser.visit((session) => session.update({ basket: ["bait"] }));
      await browser.visit(renew);
      const eve = await browser.visit((session) => session.regenerate({ userId: "eve", data: { secret: 1 } }));
      const page: Page = async (session) => {
        await login("ada")(session);
        assertEquals((await session.get())?.data, {});
      };
      (await browser.request(page, bait)).keep();
      assertEquals([await browser.userOf(), await browser.userOf(eve)], ["ada", "eve"]);
      await sessions.destroyAll("eve");
      await sessions.destroyAll("ada");
    }
  },

  "a login ends the sessions of all cookies that came along, and not itself": async ({ open }) => {
    const sessions = await open();
    for (const login of LOGINS) {
      for (const user of ["ada", "bob"]) {
        const ada = (await sessions.create("ada", {})).id;
        const planted = (await sessions.create("eve", {})).id;
        const visitor = (await sessions.create(null, { n: 1 })).id;
        for (const ids of [[ada, planted, visitor], [visitor, ada, planted], [planted, visitor, ada]]) {
          const browser = new Browser(sessions, ids.map((id) => `__Host-session=${id}`).join("; "));
          await browser.visit(login(user));
          assertEquals(await browser.userOf(), user);
          for (const id of ids) assertEquals(await sessions.get(id), undefined);
          assertEquals((await sessions.list(user)).length, 1);
          await sessions.destroyAll(user);
        }
        // One of them is an earlier id of the other.
        for (const turn of [0, 1]) {
          const browser = new Browser(sessions);
          const jars = [await browser.visit(login("ada")), await browser.visit(renew)];
          browser.jar = (turn ? jars.reverse() : jars).join("; ");
          await browser.visit(login(user));
          assertEquals(await browser.userOf(), user);
          await sessions.destroyAll(user);
        }
      }
    }
  },

  "after a login with a dead cookie a late request begins no session": async ({ open }) => {
    const sessions = await open();
    for (const login of LOGINS) {
      const browser = new Browser(sessions);
      const dead = await browser.visit(login("ada"));
      await sessions.destroyAll("ada");
      const first = await browser.visit(login("ada"));
      // on a cluster it may be in another slot
      if (!sessions.cookie.read(new Headers({ cookie: dead! }))?.includes(".")) {
        for (const page of [(session: RequestSession) => session.update({ n: 1 }), (s: RequestSession) => s.get()]) {
          assertEquals((await browser.request(page, dead)).cookie, "left");
        }
      }
      assertEquals(await browser.userOf(first), "ada");
      await sessions.destroyAll("ada");
    }
  },

  "a new id is not sent over a login or a logout that came meanwhile": async ({ open }) => {
    const sessions = await open();
    for (const meanwhile of [...LOGINS.map((login) => login("bob")), (session: RequestSession) => session.destroy()]) {
      const browser = new Browser(sessions);
      const old = await browser.visit((session) => session.create("ada", {}));
      const late = await browser.request(async (session) => {
        assert(await session.regenerate());
        await browser.visit(meanwhile);
      }, old);
      assertEquals(late.cookie, "left");
      assertEquals(await sessions.list("ada"), []);
      await sessions.destroyAll("bob");
    }
  },
};
