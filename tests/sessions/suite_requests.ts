import { assert, assertEquals, assertRejects } from "@std/assert";
import { Browser, tokenOf } from "./browser.ts";
import type { SessionCase } from "./harness.ts";

const HOUR = 3_600_000;

/** Cases of the suite: what the session of a request can do. */
export const REQUEST_CASES: Readonly<Record<string, SessionCase>> = {
  "a login always gives a session, also when the one that was read is gone": async ({ open }) => {
    const sessions = await open();
    for (const roles of [undefined, { admin: 1 }]) {
      const browser = new Browser(sessions);
      await browser.visit((session) => session.create("ada", { theme: "dark" }));
      const answer = await browser.request(async (session) => {
        await session.get();
        await sessions.destroyAll("ada"); // a password was changed
        const renewed = await session.regenerate({ userId: "ada", ...(roles && { data: roles }) });
        assertEquals([renewed.userId, renewed.data], ["ada", roles ?? {}]);
      });
      answer.keep();
      assertEquals([answer.cookie, await browser.userOf()], ["sent", "ada"]);
      assertEquals((await sessions.list("ada")).length, 1);
    }
  },

  "regenerate() takes the times, the tags, the device and the cookie of a login": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h", absoluteTtl: "10h" });
    for (const begin of [false, true]) {
      const browser = new Browser(sessions);
      if (begin) await browser.visit((session) => session.update({ basket: 1 }));
      const request = new Request("https://localhost/", { headers: { "user-agent": "Remembered" } });
      const answer = await browser.request((session) =>
        session.regenerate({
          userId: "ada",
          ttl: "20h",
          absoluteTtl: "40h",
          tags: ["org:7"],
          address: "192.0.2.7",
          request,
          persistent: false,
        })
      );
      answer.keep();
      assert(!answer.set!.includes("Max-Age"), answer.set!);
      const session = (await sessions.get(tokenOf(browser.jar)))!;
      assertEquals([session.tags, session.persistent], [["org:7"], false]);
      assertEquals(session.device, { userAgent: "Remembered", address: "192.0.2.7" });
      assertEquals(session.expiresAt - session.lastSeenAt, 20 * HOUR);
      await advance(15 * HOUR);
      const later = await browser.request((session) => session.get());
      assertEquals(later.cookie, "sent");
      assert(!later.set!.includes("Max-Age"), "what was said at the login holds for what follows");
      await advance(15 * HOUR);
      assert(await sessions.get(session.id));
      await advance(11 * HOUR);
      assertEquals(await sessions.get(session.id), undefined);
    }
    const { id } = await sessions.create("bob", {}, { persistent: true, ttl: "2h" });
    const renewed = await sessions.regenerate(id);
    assertEquals([renewed?.persistent, renewed!.expiresAt - renewed!.lastSeenAt], [true, 2 * HOUR]);
    for (const options of [{ ttl: -1 }, { absoluteTtl: "x" }, { tags: "x" }, { persistent: 1 }, { address: 7 }]) {
      await assertRejects(() => sessions.regenerate(renewed!.id, options as object), Error, "wanted");
    }
    assert(await sessions.get(renewed!.id));
  },

  "pop() takes a field out, for one of many": async ({ open }) => {
    const sessions = await open();
    const browser = new Browser(sessions);
    const got: unknown[] = [];
    assertEquals((await browser.request(async (session) => got.push(await session.pop("flash")))).cookie, "left");
    await browser.visit((session) => session.update({ flash: { text: "saved" }, other: 1 }));
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        browser.request(async (session) => {
          got.push(await session.pop("flash"));
          assertEquals((await session.get())?.data, { other: 1 });
        })),
    );
    assertEquals(answers.map(({ cookie }) => cookie), Array(5).fill("left"));
    assertEquals(got.filter((value) => value !== undefined), [{ text: "saved" }]);
    const session = await sessions.get(tokenOf(browser.jar));
    assertEquals([session?.data, session?.version], [{ other: 1 }, 2]);
    const old = browser.jar;
    await browser.visit((session) => session.update({ flash: 2 }));
    await browser.visit((session) => session.regenerate());
    await browser.request(async (session) => assertEquals(await session.pop("flash"), 2), old);
  },

  "get() without rolling lets a session end that only a page polls": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h", touchEvery: 0 });
    const browser = new Browser(sessions);
    await browser.visit((session) => session.create("ada", {}));
    for (let i = 0; i < 3; i++) {
      await advance(0.3 * HOUR);
      const poll = await browser.request(async (session) => assert(await session.get({ roll: false })));
      assertEquals(poll.cookie, "left");
    }
    await advance(0.05 * HOUR);
    const use = await browser.request(async (session) => {
      await session.get({ roll: false });
      assert((await session.get())?.touched, "whoever asks for more gets more");
    });
    assertEquals(use.cookie, "sent");
    await advance(0.9 * HOUR);
    assertEquals(await browser.userOf(), "ada");
    await advance(0.2 * HOUR);
    assertEquals(await browser.userOf(), undefined);
  },

  "a session that this process cannot read is left alone": async ({ open }) => {
    const sessions = await open();
    const strict = sessions.typed<{ n: number }>({
      schema: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value) =>
            typeof (value as { n?: unknown }).n === "number"
              ? { value: value as { n: number } }
              : { issues: [{ message: "n is no number" }] },
        },
      },
    });
    const { id } = await sessions.create("ada", { n: "of another version" });
    const app = (change: (session: Parameters<Parameters<typeof strict.withSession>[0]>[1]) => Promise<unknown>) =>
      strict.withSession(async (_, session) => {
        await change(session);
        return new Response();
      })(new Request("https://localhost/", { headers: { cookie: `__Host-session=${id}` } }));
    for (
      const change of [
        async (session) => assertEquals(await session.get(), undefined),
        async (session) => assertEquals(await session.update({ n: 1 }), undefined),
        async (session) => assertEquals(await session.update(() => ({ n: 1 })), undefined),
        async (session) => assertEquals(await session.pop("n"), undefined),
        async (session) => assertEquals(await session.regenerate(), undefined),
      ] as Parameters<typeof app>[0][]
    ) assertEquals((await app(change)).headers.get("set-cookie"), null);
    assertEquals((await sessions.get(id))?.data, { n: "of another version" });
    const login = await app((session) => session.regenerate({ userId: "ada", data: { n: 1 } }));
    assert(login.headers.get("set-cookie")?.startsWith("__Host-session="), "a login is a login");
    assertEquals((await sessions.get(id))?.data, { n: "of another version" });
  },

  "changes keep their order however long one takes, until the signal of the request ends": async ({ open }) => {
    const sessions = await open();
    const browser = new Browser(sessions);
    await browser.visit((session) => session.create("ada", { n: 1 }));
    const slow = Promise.withResolvers<void>();
    const answer = browser.request(async (session) => {
      const order: string[] = [];
      const first = session.update(async ({ n }) => {
        await slow.promise;
        order.push("first");
        return { n: n as number + 1 };
      });
      const second = session.destroy().then(() => order.push("second"));
      setTimeout(slow.resolve, 2_500); // longer than anything that waits by a clock
      await Promise.all([first, second]);
      assertEquals(order, ["first", "second"]);
    });
    assertEquals((await answer).cookie, "removed");

    await browser.visit((session) => session.create("ada", { n: 1 }));
    const ended = new AbortController();
    const given = await browser.request(
      async (session) => {
        session.update(() => new Promise<never>(() => {})).catch(() => {});
        const after = assertRejects(() => session.destroy(), Error, "the client is gone");
        ended.abort(new Error("the client is gone"));
        await after;
      },
      undefined,
      ended.signal,
    );
    assertEquals(given.cookie, "left");
    assertEquals(await browser.userOf(), "ada");
  },
};
