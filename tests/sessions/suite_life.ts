import { assert, assertEquals } from "@std/assert";
import type { SessionCase } from "./harness.ts";

const HOUR = 3_600_000;

/** Cases of the suite: when a session ends by itself, and how its use is written down. */
export const LIFE_CASES: Readonly<Record<string, SessionCase>> = {
  "a session ends when it is not used": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h" });
    const { id } = await sessions.create("ada", {});
    for (let i = 0; i < 5; i++) {
      await advance(0.9 * HOUR);
      assertEquals((await sessions.get(id))?.touched, true);
    }
    await advance(0.9 * HOUR);
    assertEquals(await sessions.touch(id), true);
    await advance(0.9 * HOUR);
    assert(await sessions.get(id, { roll: false }));
    await advance(0.2 * HOUR);
    assertEquals(await sessions.get(id), undefined);
    assertEquals(await sessions.update(id, { a: 1 }), undefined);
    assertEquals(await sessions.destroy(id), false);
    assertEquals(await sessions.list("ada"), []);
  },

  "a session ends at its absolute end, however it is used": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h", absoluteTtl: "3h" });
    const { id, createdAt } = await sessions.create("ada", {});
    const absolute = createdAt + 3 * HOUR;
    let [at, expiresAt] = [0, 0];
    for (; at < 2.9 * HOUR; at += 0.5 * HOUR) {
      const session = await sessions.get(id);
      expiresAt = session!.expiresAt;
      await advance(0.5 * HOUR);
    }
    // On Redis the stored times are made earlier in place of waiting.
    assert(Math.abs(expiresAt - absolute) <= 3 * HOUR);
    assertEquals(await sessions.get(id), undefined);
  },

  "absoluteTtl bounds expiresAt, and a session that cannot be prolonged is not touched": async ({ open, advance }) => {
    const sessions = await open({ ttl: "2h", absoluteTtl: "2h" });
    const { id, createdAt, expiresAt } = await sessions.create("ada", {});
    assertEquals(expiresAt - createdAt, 2 * HOUR);
    await advance(1.5 * HOUR);
    const session = await sessions.get(id);
    assertEquals([session!.expiresAt - session!.createdAt, session!.touched], [2 * HOUR, false]);
    await advance(0.6 * HOUR);
    assertEquals(await sessions.get(id), undefined);
  },

  "times of one session may differ from those of the others, and 0 is for ever": async ({ open, advance }) => {
    const sessions = await open({ ttl: "1h" });
    const short = await sessions.create("ada", {}, { ttl: "10m" });
    const ends = await sessions.create("ada", {}, { ttl: 0, absoluteTtl: "2h" });
    const ever = await sessions.create("ada", {}, { ttl: 0, absoluteTtl: 0 });
    assertEquals(short.expiresAt - short.createdAt, HOUR / 6);
    assertEquals(ends.expiresAt - ends.createdAt, 2 * HOUR);
    assertEquals(ever.expiresAt, Infinity);
    const alive = () => Promise.all([short, ends, ever].map(async ({ id }) => Boolean(await sessions.get(id))));
    await advance(0.2 * HOUR);
    assertEquals(await alive(), [false, true, true]);
    await advance(2 * HOUR);
    assertEquals(await alive(), [false, false, true]);
    await advance(1000 * 24 * HOUR);
    assertEquals(await alive(), [false, false, true]);
    assertEquals((await sessions.list("ada")).length, 1);
    assertEquals(await sessions.destroyAll("ada"), 1);
    assertEquals(await sessions.get(ever.id), undefined);
  },

  "use is written down at most every touchEvery, and touched tells it": async ({ open, advance }) => {
    const sessions = await open({ ttl: "2h", touchEvery: "10m" });
    const { id } = await sessions.create("ada", {});
    const seen: (boolean | undefined)[] = [];
    for (let i = 0; i < 6; i++) {
      seen.push((await sessions.get(id))?.touched, (await sessions.get(id))?.touched);
      await advance(HOUR / 12);
    }
    assertEquals(seen, [false, false, false, false, true, false, false, false, true, false, false, false]);
    assertEquals((await sessions.update(id, { a: 1 }))?.touched, true);
    assertEquals((await sessions.update(id, { a: 2 }))?.touched, false);
  },

  "by default use is written down every 24th of the time to live, every 5 minutes at most": async (
    { open, advance },
  ) => {
    const sessions = await open({ ttl: "24m" });
    const { id } = await sessions.create("ada", {});
    const { id: long } = await sessions.create("ada", {}, { ttl: "24h" });
    await advance(50_000);
    assertEquals((await sessions.get(id))?.touched, false);
    await advance(15_000);
    assertEquals((await sessions.get(id))?.touched, true);
    await advance(230_000);
    assertEquals((await sessions.get(long))?.touched, false);
    await advance(10_000);
    assertEquals((await sessions.get(long))?.touched, true);
  },

  "by default a session ends after 24 hours without use and after 30 days in any case": async ({ open }) => {
    const sessions = await open();
    const lasts = async (options: Parameters<typeof sessions.create>[2]) => {
      const { createdAt, expiresAt } = await sessions.create("ada", {}, options);
      return (expiresAt - createdAt) / HOUR;
    };
    assertEquals(await lasts({}), 24);
    assertEquals(await lasts({ ttl: 0 }), 30 * 24);
    assertEquals(await lasts({ ttl: "60d" }), 30 * 24);
    assertEquals(await lasts({ ttl: "60d", absoluteTtl: 0 }), 60 * 24);
    assertEquals(await lasts({ ttl: 0, absoluteTtl: 0 }), Infinity);
    assertEquals(await lasts({ ttl: 90, absoluteTtl: "36s" }), 0.01);
  },
};
