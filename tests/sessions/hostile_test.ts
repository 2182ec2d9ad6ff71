import { assert, assertEquals, assertRejects } from "@std/assert";
import type { EventListener } from "../../src/observe/events.ts";
import type { Session } from "../../src/sessions/session.ts";
import type { Sessions } from "../../src/sessions/sessions.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog } from "../support/until.ts";
import { MemorySessionHarness, RedisSessionHarness } from "./harness.ts";

/** On the embedded store and on Redis, in one slot and in several. */
async function everywhere(
  t: Deno.TestContext,
  run: (open: (on?: EventListener) => Promise<Sessions>, size: () => Promise<number>) => Promise<void>,
): Promise<void> {
  await t.step("on the embedded store", async () => {
    await using harness = new MemorySessionHarness();
    await run((on) => harness.open({ maxBytes: 1_000_000 }, on), harness.size);
  });
  await using server = await RedisServer.start();
  for (const buckets of [1, 7]) {
    await t.step(`on Redis in ${buckets} ${buckets === 1 ? "slot" : "slots"}`, async () => {
      await using harness = new RedisSessionHarness(server, { buckets });
      await run((on) => harness.open({ maxBytes: 1_000_000 }, on), harness.size);
    });
  }
}

Deno.test("Sessions keep users and tags apart that look like keys, patterns, or each other", async (t) => {
  const longest = "ü".repeat(256);
  const names = [
    ..."__proto__|constructor|toString|u:ada|t:ada|s:ada|:|::|ada:|:ada|{|}|{}|}{|{ns}|*|?|[a-z]|\\|\\*|'|\"|`".split(
      "|",
    ),
    ..." |  |\u00a0|ada|Ada|ADA|a\u0301da|\u00e1da|-1|0|1e3|NaN|null|undefined|true|inf|+inf|(1|n|k|x|sl|l".split("|"),
    "x".repeat(512),
    longest,
    "😀",
    "\u202eada",
    "return redis.call('FLUSHALL')",
    "EVAL $(reboot) && `id`; --",
  ];
  await everywhere(t, async (open) => {
    const sessions = await open();
    const all = new Map<string, Session>();
    for (const name of names) all.set(name, await sessions.create(name, { name }, { tags: [name] }));
    for (const [name, { handle }] of all) {
      assertEquals((await sessions.list(name)).map((info) => [info.userId, info.handle]), [[name, handle]], name);
    }
    const alive = new Set(names);
    for (const [i, name] of names.entries()) {
      assertEquals(await (i % 2 ? sessions.destroyAll(name) : sessions.destroyByTag(name)), 1, name);
      alive.delete(name);
      const read = await Promise.all([...all].map(async ([other, { id }]) => [other, await sessions.get(id)] as const));
      for (const [other, session] of read) {
        assertEquals(session?.data.name, alive.has(other) ? other : undefined, other);
      }
    }
  });
});

Deno.test("Sessions refuse names that no key can hold, before anything is sent", async (t) => {
  const wrong = ["", "\0", "a\0b", "a\r\nDEL x", "\x1b[2J", "\x7f", "\x85", "\ud800", "\udc00a", "x".repeat(65_536)];
  await everywhere(t, async (open, size) => {
    const sessions = await open();
    for (const name of wrong) {
      for (
        const run of [
          () => sessions.create(name, {}),
          () => sessions.create("ada", {}, { tags: [name] }),
          () => sessions.list(name),
          () => sessions.destroyAll(name),
          () => sessions.destroyByTag(name),
          () => sessions.regenerate("x", { userId: name }),
        ]
      ) {
        const error = await assertRejects(run, Error);
        assert(error instanceof TypeError || error instanceof RangeError, error.message);
        assert(error.message.length < 600, `${error.message.length} characters`);
      }
    }
    const many = Array.from({ length: 65 }, (_, i) => `t${i}`);
    await assertRejects(() => sessions.create("ada", {}, { tags: many }), RangeError);
    assertEquals((await sessions.create("ada", {}, { tags: [...many.slice(1), "t1"] })).tags.length, 64);
    assert(await size() > 0);
  });
});

Deno.test("Sessions keep data of any name and value, or refuse them and change nothing", async (t) => {
  const kept: Record<string, unknown> = {
    constructor: 1,
    toString: "x",
    hasOwnProperty: null,
    "": "nameless",
    m: 1,
    s: 2,
    u: 3,
    "0": "zero",
    "a.b": 1,
    'q"u\\o': 1,
    "\0": "NUL",
    "日本": "語",
    ["n".repeat(256)]: true,
    zero: -0,
    infinite: -Infinity,
    large: 2n ** 80n,
    nested: new Map([["k", { at: new Date(5), set: new Set([NaN]) }]]),
    holes: [undefined, null],
    text: "x".repeat(100_000),
  };
  const refused: [string, unknown][] = [
    ["a function", { f: () => 1 }],
    ["a symbol", { f: Symbol("x") }],
    ["a promise", { f: Promise.resolve(1) }],
    ["an instance", { f: new (class Point {})() }],
    ["an error", { f: new Error("x") }],
    ["what cannot be read", {
      f: {
        get x() {
          throw new Error("no");
        },
      },
    }],
    ["a prototype", JSON.parse('{"__proto__":{"admin":true}}')],
    ["a prototype within", { f: JSON.parse('{"__proto__":{"admin":true}}') }],
    ["half a pair as a name", { "\ud800": 1 }],
    ["an array", [1]],
    ["a map", new Map([["a", 1]])],
    ["a date", new Date()],
    ["null", null],
    ["a text", "secret"],
  ];
  await everywhere(t, async (open) => {
    const sessions = await open();
    const { id, data } = await sessions.create("ada", kept);
    assertEquals(data, kept);
    assertEquals((await sessions.get(id))?.data, kept);
    assertEquals(Object.keys((await sessions.get(id))!.data).sort(), Object.keys(kept).sort());
    for (const [name, wrong] of refused) {
      const patch = wrong as Record<string, unknown>;
      for (
        const run of [
          () => sessions.create("ada", patch),
          () => sessions.update(id, patch),
          () => sessions.update(id, () => patch),
          () => sessions.regenerate(id, { data: patch }),
        ]
      ) {
        const error = await assertRejects(run, Error, undefined, name);
        assert(error instanceof TypeError || error instanceof RangeError, `${name}: ${error}`);
        assert(!error.message.includes("secret"));
      }
    }
    const after = await sessions.get(id);
    assertEquals([after?.version, after?.data], [1, kept]);
    assertEquals(({} as { admin?: boolean }).admin, undefined);
    const names = Object.keys(kept);
    await sessions.update(id, Object.fromEntries(names.map((name) => [name, undefined])));
    assertEquals((await sessions.get(id))?.data, {});
  });
});

Deno.test("Sessions.update() refuses versions that are none", async (t) => {
  await everywhere(t, async (open) => {
    const sessions = await open();
    const { id } = await sessions.create("ada", { a: 1 });
    for (const wrong of [0, -1, 1.5, NaN, Infinity, 2 ** 53, "1", null, {}, 1n, true]) {
      for (const change of [{ a: 2 }, () => ({ a: 2 })]) {
        const error = await assertRejects(() => sessions.update(id, change, { ifVersion: wrong as number }), Error);
        assert(error instanceof TypeError || error instanceof RangeError, `${error}`);
      }
    }
    assertEquals((await sessions.get(id))?.version, 1);
  });
});

Deno.test("Sessions show a token in nothing but the session", async (t) => {
  await everywhere(t, async (open) => {
    const log = new EventLog();
    const sessions = await open(log.on);
    const { id, handle } = await sessions.create("ada", { a: 1 }, { tags: ["t"] });
    // deno-lint-ignore no-explicit-any -- callers without types
    const any = sessions as any;
    const errors: unknown[] = [];
    for (
      const run of [
        () => sessions.update(id, { a: 2 }, { ifVersion: 7 }),
        () => sessions.update(id, { f: () => 1 }),
        () => sessions.update(id, { [id]: () => 1 }).catch((error) => Promise.reject(error.name)),
        () => sessions.update(id, () => null as unknown as Record<string, unknown>),
        () => sessions.update(id, {}, { ifVersion: -1 }),
        () => sessions.update(id, () => ({}), { ifVersion: 9 }),
        () => sessions.regenerate(id, { userId: "" }),
        () => any.get({ id }),
        () => any.get([id]),
        () => any.touch({ id }),
        () => any.destroy({ id }),
        () => any.destroy([id]),
        () => any.destroy({ handle: [id] }),
        () => any.destroyAll("ada", { except: [id] }),
        () => any.update({ id }, {}),
        () => any.regenerate([id]),
        () => sessions.get(id, { signal: AbortSignal.abort() }),
      ]
    ) errors.push(await run().then(() => undefined, (error: unknown) => error));
    assert(errors.every((error) => error !== undefined), Deno.inspect(errors.map((error) => error === undefined)));
    await sessions.destroyAll("ada", { except: id });
    const list = await sessions.list("ada");
    const renewed = await sessions.regenerate(id);
    await sessions.destroy(renewed!.id);
    await sessions.get(id);
    const shown: Record<string, string> = {};
    const show = (value: unknown) => Deno.inspect(value, { depth: 20, showHidden: true, strAbbreviateSize: 1e6 });
    shown.errors = show(errors) + errors.map((error) => (error as Error).stack).join();
    shown.events = show(log.events) + JSON.stringify(log.events.map((event) => ({ ...event, error: undefined })));
    shown.list = show(list) + JSON.stringify(list);
    shown.stats = show(sessions.stats());
    shown.sessions = show(sessions);
    for (const token of [id, renewed!.id]) {
      const secret = token.slice(-43);
      for (const [where, text] of Object.entries(shown)) assert(!text.includes(secret), `a token is in ${where}`);
    }
    assert(shown.events.includes(handle), "what is safe to show is shown");
  });
});

Deno.test("Sessions of ten connections that do everything to one session at once stay of one mind", async () => {
  await using server = await RedisServer.start();
  for (const buckets of [1, 3]) {
    await using harness = new RedisSessionHarness(server, { buckets });
    const all = await Promise.all(Array.from({ length: 10 }, () => harness.open({ touchEvery: 0, maxPerUser: 3 })));
    for (let round = 0; round < 15; round++) {
      const { id } = await all[0]!.create("ada", { n: 0 }, { tags: ["org"] });
      const known = new Map<string, Session>();
      const errors: unknown[] = [];
      await Promise.all(all.map(async (sessions, i) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
        try {
          const outcome = await [
            () => sessions.update(id, { [`f${i}`]: i }),
            () => sessions.regenerate(id),
            () => sessions.update(id, ({ n }) => ({ n: n as number + 1 })),
            () => sessions.regenerate(id, { userId: "ada" }),
            () => (round % 3 === 0 ? sessions.destroyAll("ada") : sessions.touch(id)).then(() => undefined),
            () => (round % 3 === 1 ? sessions.destroyByTag("org") : sessions.get(id)).then(() => undefined),
            () => sessions.create("ada", {}, { tags: ["org"] }),
            () => sessions.get(id).then(() => undefined),
            () => sessions.list("ada").then(() => undefined),
            () => sessions.destroy(id).then(() => undefined),
          ][i]!();
          if (outcome && outcome.id !== id) known.set(outcome.handle, outcome);
        } catch (error) {
          errors.push(error);
        }
      }));
      assertEquals(errors, []);
      assertEquals(await all[3]!.get(id), undefined, "it was regenerated or destroyed");
      const listed = (await all[5]!.list("ada")).map(({ handle }) => handle).sort();
      const alive: string[] = [];
      for (const { id, handle } of known.values()) if (await all[4]!.get(id, { roll: false })) alive.push(handle);
      assertEquals(listed.filter((handle) => known.has(handle)), alive.sort());
      assert(listed.length <= 3);
      await all[7]!.destroyAll("ada");
      assertEquals(await all[8]!.list("ada"), []);
    }
    assertEquals((await harness.keys()).filter((key) => !key.endsWith("sl")), []);
  }
});

Deno.test("Sessions survive the loss of their index, and an index the loss of its sessions", async (t) => {
  await using server = await RedisServer.start();
  const open = async () => {
    const harness = new RedisSessionHarness(server);
    return { harness, sessions: await harness.open({ maxPerUser: 2 }) };
  };
  const lose = async (harness: RedisSessionHarness, part: string) => {
    const lost = (await harness.keys()).filter((key) => key.includes(part));
    assert(lost.length > 0);
    await server.cli("DEL", ...lost as [string]);
  };

  await t.step("without index they are read, changed, renewed and revoked", async () => {
    const { harness, sessions } = await open();
    await using _ = harness;
    const [a, b] = [await sessions.create("ada", { a: 1 }, { tags: ["t"] }), await sessions.create("ada", {})];
    await lose(harness, ":su:");
    await lose(harness, ":st:");
    assertEquals((await sessions.update(a.id, { a: 2 }))?.data, { a: 2 });
    assertEquals(await sessions.list("ada"), []);
    const renewed = await sessions.regenerate(b.id);
    assertEquals((await sessions.list("ada")).map(({ handle }) => handle), [renewed!.handle], "a change mends it");
    await sessions.destroyAll("ada");
    assertEquals([await sessions.get(a.id), await sessions.get(renewed!.id)], [undefined, undefined]);
    const tagged = await sessions.create("bob", {}, { tags: ["t"] });
    await lose(harness, ":st:");
    await sessions.destroyByTag("t");
    assertEquals(await sessions.get(tagged.id), undefined);
  });

  await t.step("without records nothing is listed, counted or in the way", async () => {
    const { harness, sessions } = await open();
    await using _ = harness;
    const [a, b] = [await sessions.create("ada", {}, { tags: ["t"] }), await sessions.create("ada", {})];
    await lose(harness, ":s:");
    assertEquals([await sessions.get(a.id), await sessions.update(b.id, {})], [undefined, undefined]);
    const [c, d] = [await sessions.create("ada", {}), await sessions.create("ada", {})];
    assertEquals((await sessions.list("ada")).map(({ handle }) => handle).sort(), [c.handle, d.handle].sort());
    assert(await sessions.get(c.id), "those that are lost do not count");
    assertEquals(await sessions.destroyByTag("t"), 0);
    assertEquals(await sessions.destroyAll("ada"), 2);
  });

  await t.step("after FLUSHALL and SCRIPT FLUSH everything begins anew", async () => {
    const { harness, sessions } = await open();
    await using _ = harness;
    const { id } = await sessions.create("ada", {}, { tags: ["t"] });
    await server.cli("FLUSHALL");
    await server.cli("SCRIPT", "FLUSH");
    const gone = await Promise.all([
      sessions.get(id),
      sessions.update(id, { a: 1 }),
      sessions.touch(id),
      sessions.regenerate(id),
      sessions.destroy(id),
      sessions.list("ada"),
      sessions.destroyAll("ada"),
      sessions.destroyByTag("t"),
    ]);
    assertEquals(gone, [undefined, undefined, false, undefined, false, [], 0, 0]);
    const again = await sessions.create("ada", {});
    assertEquals((await sessions.get(again.id))?.userId, "ada");
  });
});
