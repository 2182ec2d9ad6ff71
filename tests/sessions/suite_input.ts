import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { EventLog } from "../support/until.ts";
import type { SessionCase } from "./harness.ts";

/** Cases of the suite: what comes from outside: names, tokens, values of the wrong kind, signals. */
export const INPUT_CASES: Readonly<Record<string, SessionCase>> = {
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

  "a signal with any reason ends the wait with it": async ({ open }) => {
    const sessions = await open({ onUnavailable: "none" });
    const { id } = await sessions.create("ada", {});
    for (const reason of [new RangeError("enough"), new UnavailableError("x", "timeout"), "enough", null]) {
      const signal = AbortSignal.abort(reason);
      for (const run of [() => sessions.get(id, { signal }), () => sessions.touch(id, { signal })]) {
        const outcome = await run().then(() => "no end", (error) => ({ error }));
        assertEquals(outcome, { error: reason });
      }
    }
  },

  "a listener that throws disturbs nothing": async ({ open }) => {
    const sessions = await open({ maxPerUser: 1 }, () => {
      throw new Error("I cannot listen");
    });
    await sessions.create("ada", {});
    const { id } = await sessions.create("ada", {});
    const renewed = await sessions.regenerate(id);
    assertEquals(await sessions.get(id), undefined);
    assertEquals(await sessions.destroy(renewed!.id), true);
    assertEquals(await sessions.destroyAll("ada"), 0);
    assertEquals(sessions.stats().created, 2);
  },
};
