import { assert, assertEquals } from "@std/assert";
import { RedisServer } from "../support/redis_server.ts";
import { Browser, tokenOf } from "./browser.ts";
import { RedisSessionHarness } from "./harness.ts";

const CONNECTIONS = 6;

function times<T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => make(i)));
}

/** A turn of the event loop, or a few. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
}

Deno.test("Sessions of requests on Redis with many connections at a time", async (t) => {
  await using server = await RedisServer.start();
  for (const buckets of [1, 5]) {
    const where = buckets === 1 ? "" : " (several buckets)";

    await t.step(`a page polls while its user logs in: 0 of 50 are logged out${where}`, async () => {
      await using harness = new RedisSessionHarness(server, { buckets });
      const all = await times(CONNECTIONS, () => harness.open({ touchEvery: 0 }));
      for (const login of ["create", "regenerate"] as const) {
        await times(25, async (round) => {
          const browser = new Browser(all[round % CONNECTIONS]!);
          await browser.visit((session) => session.update({ basket: 1 }));
          const before = browser.jar;
          const polls = times(8, async (i) => {
            const other = new Browser(all[i % CONNECTIONS]!, before);
            await pause();
            const answer = await other.request(async (session) => {
              await session.get();
              await pause();
              await session.update({ seen: i });
            }, before);
            await pause();
            return answer;
          });
          await pause();
          const user = `ada${round}`;
          const entered = await browser.request((session) =>
            login === "create" ? session.create(user, {}) : session.regenerate({ userId: user })
          );
          entered.keep();
          const jar = browser.jar;
          // What came late arrives after the answer to the login.
          for (const answer of await polls) {
            if (answer.cookie === "sent") assertEquals(answer.set!.split(";")[0], before, "it began no session");
            else assertEquals(answer.cookie, "left");
          }
          assertEquals(await browser.userOf(jar), user);
          await all[0]!.destroyAll(user);
        });
      }
    });

    await t.step(`200 late writes with ids within their grace revive nothing${where}`, async () => {
      await using harness = new RedisSessionHarness(server, { buckets });
      const all = await times(CONNECTIONS, () => harness.open({ touchEvery: 0 }));
      const ids = await times(20, async (i) => {
        const { id } = await all[i % CONNECTIONS]!.create(`user${i % 3}`, { a: 1 }, { tags: ["t"] });
        const second = await all[i % CONNECTIONS]!.regenerate(id);
        await all[i % CONNECTIONS]!.regenerate(second!.id);
        return [id, second!.id];
      });
      const late = times(200, async (i) => {
        await pause();
        const jar = `__Host-session=${ids[i % 20]![i % 2]}`;
        const answer = await new Browser(all[(i * 7) % CONNECTIONS]!, jar).request(async (session) => {
          await [
            () => session.update({ late: i }),
            () => session.update(() => ({ late: i })),
            () => session.regenerate({ data: { late: i } }),
            () => session.pop("a"),
          ][i % 4]!();
        });
        return answer;
      });
      const ends = [
        ...[0, 1, 2].map((i) => pause().then(() => all[i]!.destroyAll(`user${i}`))),
      ];
      await Promise.all([late, ...ends]);
      for (const both of ids) {
        for (const id of both) {
          const browser = new Browser(all[0]!, `__Host-session=${id}`);
          assertEquals(await browser.userOf(), undefined);
          const after = await browser.request(async (session) => {
            assertEquals(await session.update({ late: 1 }), undefined);
          });
          assertEquals(after.cookie, "left");
        }
      }
      for (const i of [0, 1, 2]) assertEquals(await all[0]!.list(`user${i}`), []);
      // What is remembered of them ends by itself.
      for (const key of await harness.keys()) {
        assert(key.endsWith("sl"), key);
        const left = await server.cli("PTTL", key) as number;
        assert(left > 0, `${key} has ${left} ms left`);
        if (key.includes(":sr:")) assert(left <= 10_000, `${key} has ${left} ms left`);
      }
    });

    await t.step(`destroyAll() against renewals: no id of the user survives${where}`, async () => {
      await using harness = new RedisSessionHarness(server, { buckets });
      const all = await times(CONNECTIONS, () => harness.open());
      await times(30, async (round) => {
        const user = `ada${round}`;
        const { id } = await all[round % CONNECTIONS]!.create(user, {});
        const jars = new Set([`__Host-session=${id}`]);
        let done = false;
        const renewals = times(3, async (i) => {
          const browser = new Browser(all[(round + i) % CONNECTIONS]!, `__Host-session=${id}`);
          while (!done) {
            await browser.visit((session) => session.regenerate());
            if (browser.jar) jars.add(browser.jar);
            await pause();
          }
        });
        await pause();
        await all[(round + 3) % CONNECTIONS]!.destroyAll(user);
        done = true;
        await renewals;
        const checker = new Browser(all[0]!);
        for (const jar of jars) assertEquals(await checker.userOf(jar), undefined);
        assertEquals(await all[0]!.list(user), []);
      });
    });

    await t.step(`a login that is sent twice: 0 of 40 are logged out${where}`, async () => {
      await using harness = new RedisSessionHarness(server, { buckets });
      const all = await times(CONNECTIONS, () => harness.open());
      await times(40, async (round) => {
        const browser = new Browser(all[round % CONNECTIONS]!);
        const user = `ada${round}`;
        if (round % 3) {
          await browser.visit((session) =>
            round % 3 === 1 ? session.update({ n: 1 }) : session.regenerate({ userId: user })
          );
        }
        const { jar } = browser;
        const answers = await times(2, async (i) => {
          await pause();
          return await new Browser(all[(round + i) % CONNECTIONS]!, jar).request(
            (session) => session.regenerate({ userId: user }),
          );
        });
        const cookies = answers.map(({ set }) => set!.split(";")[0]!);
        // Whichever answer the browser keeps, it is in.
        for (const cookie of cookies) assertEquals(await browser.userOf(cookie), user);
        if (buckets === 1 && round % 3) assertEquals(tokenOf(cookies[0]), tokenOf(cookies[1]), "there is no third id");
      });
    });
  }
});
