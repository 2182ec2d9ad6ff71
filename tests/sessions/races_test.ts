import { assert, assertEquals } from "@std/assert";
import type { Session } from "../../src/sessions/session.ts";
import type { Sessions } from "../../src/sessions/sessions.ts";
import { RedisServer } from "../support/redis_server.ts";
import { HeldClient } from "./held_client.ts";
import { RedisSessionHarness } from "./harness.ts";

const CONNECTIONS = 10;

function times<T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => make(i)));
}

/** Sessions as of one more process, whose commands can be kept back. */
function openHeld(harness: RedisSessionHarness, held: HeldClient[]): Promise<Sessions> {
  return harness.openOn((client) => {
    const between = new HeldClient(client);
    held.push(between);
    return between;
  });
}

/** A turn of the event loop, or a few. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
}

async function race(
  name: string,
  run: (harness: RedisSessionHarness, open: () => Promise<Sessions[]>) => Promise<void>,
  t: Deno.TestContext,
  server: RedisServer,
): Promise<void> {
  for (const buckets of [1, 5]) {
    await t.step(`${name}${buckets > 1 ? " (several buckets)" : ""}`, async () => {
      await using harness = new RedisSessionHarness(server, { buckets });
      await run(harness, () => times(CONNECTIONS, () => harness.open({ touchEvery: 0 })));
    });
  }
}

Deno.test("Sessions on Redis with many connections at a time", async (t) => {
  await using server = await RedisServer.start();

  await race(
    "50 updates of different fields all survive",
    async (_, open) => {
      const all = await open();
      const { id } = await all[0]!.create("ada", {});
      await times(50, async (i) => {
        await pause();
        assert(await all[i % CONNECTIONS]!.update(id, { [`field${i}`]: i }));
      });
      const session = await all[0]!.get(id);
      assertEquals(session?.data, Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`field${i}`, i])));
      assertEquals(session?.version, 51);
    },
    t,
    server,
  );

  await race(
    "50 counts by functions are all counted",
    async (_, open) => {
      const all = await open();
      const { id } = await all[0]!.create("ada", { count: 0 });
      await times(50, (i) => all[i % CONNECTIONS]!.update(id, ({ count }) => ({ count: count as number + 1 })));
      assertEquals((await all[0]!.get(id))?.data.count, 50);
    },
    t,
    server,
  );

  await race(
    "200 late updates, touches and rolls revive nothing",
    async (harness, open) => {
      const all = await open();
      const ids = await times(
        20,
        async (i) => (await all[i % CONNECTIONS]!.create(`user${i % 3}`, { a: 1 }, { tags: ["t"] })).id,
      );
      let late = 0;
      const users = ids.map(async (id, i) => {
        await pause();
        assertEquals(await all[i % CONNECTIONS]!.destroy(id), true);
      });
      const others = times(200, async (i) => {
        await pause();
        const [sessions, id] = [all[(i * 7) % CONNECTIONS]!, ids[i % ids.length]!];
        const answer = await [
          () => sessions.update(id, { late: i }),
          () => sessions.touch(id),
          () => sessions.get(id),
          () => sessions.update(id, () => ({ late: i })),
          () => sessions.destroy(id).then(() => undefined),
        ][i % 4]!();
        if (!answer) late++;
      });
      await Promise.all([...users, others]);
      assert(late > 0, "none came late");
      for (const id of ids) {
        assertEquals(await all[0]!.update(id, { late: 1 }), undefined);
        assertEquals(await all[0]!.touch(id), false);
        assertEquals(await all[0]!.get(id), undefined);
      }
      assertEquals((await harness.keys()).filter((key) => !key.endsWith("sl")), []);
    },
    t,
    server,
  );

  await race(
    "destroyAll() against 10 logins of each of 40 users: none that is older than the call survives",
    async (_, open) => {
      const all = await open();
      await times(40, async (user) => {
        const name = `user${user}`;
        let [called, done] = [Infinity, Infinity];
        const logins: { begun: number; session: Session }[] = [];
        const login = async (i: number) => {
          await pause();
          const begun = performance.now();
          logins.push({ begun, session: await all[i % CONNECTIONS]!.create(name, {}) });
        };
        const revoke = async () => {
          await pause();
          called = performance.now();
          await all[user % CONNECTIONS]!.destroyAll(name);
          done = performance.now();
        };
        await Promise.all([times(10, login), revoke()]);
        const after = await all[user % CONNECTIONS]!.create(name, {});
        assert(await all[0]!.get(after.id), "who logs in afterwards is in");
        const listed = new Set((await all[0]!.list(name)).map(({ handle }) => handle));
        for (const { begun, session } of logins) {
          const alive = await all[1]!.get(session.id) !== undefined;
          assertEquals(listed.has(session.handle), alive);
          if (begun < called) assert(!alive, `${name}: a login that began before the call survived it`);
        }
        assert(done < Infinity);
      });
    },
    t,
    server,
  );

  await race(
    "a login that began before a revocation and arrives after it is dead",
    async (harness) => {
      const held: HeldClient[] = [];
      const late = await times(10, () => openHeld(harness, held));
      const sessions = await harness.open();
      for (const revoke of [() => sessions.destroyAll("ada"), () => sessions.destroyByTag("org")]) {
        const kept = await sessions.create("bob", {});
        const waiting = held.map((client) => client.hold());
        const logins = late.map((one) => one.create("ada", {}, { tags: ["org"] }));
        const renewals = [late[0]!.regenerate(kept.id)];
        await Promise.all(waiting);
        assertEquals(await revoke(), 0);
        // Whoever logs in now does so after it, whichever process it is.
        const after = await sessions.create("ada", {}, { tags: ["org"] });
        for (const client of held) client.release();
        for (const { id } of await Promise.all(logins)) {
          assertEquals(await sessions.get(id), undefined);
        }
        assert(await sessions.get(after.id), "a login after the revocation is none before it");
        assertEquals((await sessions.list("ada")).map(({ handle }) => handle), [after.handle]);
        assert((await Promise.all(renewals))[0], "others are not concerned");
        await new Promise((resolve) => setTimeout(resolve, 20));
        const elsewhere = await late[3]!.create("ada", {}, { tags: ["org"] });
        assert(await sessions.get(elsewhere.id), "nor is a login in another process");
        await sessions.destroyAll("ada");
      }
    },
    t,
    server,
  );

  await race(
    "a login by regenerate() that began before a revocation and arrives after it is dead",
    async (harness) => {
      const held: HeldClient[] = [];
      const late = await times(8, () => openHeld(harness, held));
      const sessions = await harness.open();
      for (const revoke of [() => sessions.destroyAll("ada"), () => sessions.destroyByTag("org")]) {
        const visitors = await times(8, () => sessions.create(null, { basket: 1 }, { tags: ["org"] }));
        const waiting = held.map((client) => client.hold());
        const logins = late.map((one, i) => one.regenerate(visitors[i]!.id, { userId: "ada" }));
        await Promise.all(waiting);
        await revoke();
        const after = await sessions.create("ada", {}, { tags: ["org"] });
        for (const client of held) client.release();
        for (const session of await Promise.all(logins)) {
          if (session) assertEquals(await sessions.get(session.id), undefined);
        }
        assertEquals((await sessions.list("ada")).map(({ handle }) => handle), [after.handle]);
        const visitor = await sessions.create(null, {}, { tags: ["org"] });
        const login = await late[1]!.regenerate(visitor.id, { userId: "ada" });
        assert(await sessions.get(login!.id), "a login after the revocation is none before it");
        await sessions.destroyAll("ada");
      }
    },
    t,
    server,
  );

  await race(
    "a login that was under way is dead and a later one lives, also while the clock of the server was set back",
    async (harness) => {
      const held: HeldClient[] = [];
      const late = await openHeld(harness, held);
      const sessions = await harness.open();
      await late.create("ada", {});
      for (const ledger of await harness.keys()) {
        if (!ledger.endsWith("sl")) continue;
        // The ledger shows what the clock showed before it was set back by an hour.
        await server.cli("ZADD", ledger, `${-(Date.now() + 3_600_000) * 1000}`, "k");
      }
      await late.create("ada", {});
      await pause();
      for (let i = 0; i < 5; i++) {
        const waiting = held[0]!.hold();
        const login = late.create("ada", {});
        await waiting;
        await new Promise((resolve) => setTimeout(resolve, 20));
        await sessions.destroyAll("ada");
        held[0]!.release();
        assertEquals(await sessions.get((await login).id), undefined, "it began before");
        assert(await sessions.get((await late.create("ada", {})).id), "it began after");
        assert(await sessions.get((await sessions.create("ada", {})).id), "it began after");
        await pause();
      }
    },
    t,
    server,
  );

  await race(
    "regenerate() under load: never two ids, and all data are kept",
    async (_, open) => {
      const all = await open();
      let { id } = await all[0]!.create("ada", {});
      const written = new Map<string, number>();
      let going = true;
      const writers = times(5, async (i) => {
        for (let n = 0; going; n++) {
          const updated = await all[1 + i]!.update(id, { [`w${i}`]: n });
          if (updated) written.set(`w${i}`, n);
        }
      });
      for (let round = 0; round < 60; round++) {
        const before = id;
        const renewed = await times(3, (i) => all[(round + i) % CONNECTIONS]!.regenerate(before));
        const winners = renewed.filter((session) => session !== undefined);
        assertEquals(winners.length, 1, "one of three wins");
        const now = winners[0]!.id;
        // Both are asked for in one step.
        const [old, fresh] = await Promise.all([all[0]!.get(before), all[0]!.get(now)]);
        assertEquals([old, fresh?.handle], [undefined, winners[0]!.handle]);
        id = now;
      }
      going = false;
      await writers;
      assertEquals((await all[0]!.get(id))?.data, Object.fromEntries(written));
      assertEquals((await all[0]!.list("ada")).length, 1);
    },
    t,
    server,
  );

  await race(
    "maxPerUser holds for logins at the same time",
    async (harness) => {
      const all = await times(CONNECTIONS, () => harness.open({ maxPerUser: 4 }));
      const logins = await times(60, (i) => all[i % CONNECTIONS]!.create("ada", {}));
      const alive = await Promise.all(logins.map(({ id }) => all[0]!.get(id)));
      assertEquals(alive.filter((session) => session !== undefined).length, 4);
      assertEquals((await all[0]!.list("ada")).length, 4);
    },
    t,
    server,
  );

  await race(
    "destroyByTag() over more sessions than one step removes",
    async (_, open) => {
      const all = await open();
      const logins = await times(1800, (i) => all[i % CONNECTIONS]!.create(`user${i % 100}`, {}, { tags: ["org"] }));
      const [count, again] = await Promise.all([all[0]!.destroyByTag("org"), all[1]!.create("new", {})]);
      assertEquals(count, logins.length);
      const alive = await Promise.all(logins.map(({ id }) => all[2]!.get(id)));
      assertEquals(alive.filter((session) => session !== undefined), []);
      assert(await all[3]!.get(again.id));
    },
    t,
    server,
  );
});
