/**
 * Large reads beside all else that goes over the same connection.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { connect } from "../../../mod.ts";
import { cacheResponse } from "../../../src/http/mod.ts";
import { calmly } from "../../support/calm.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { manyOf, openOverALine } from "./slow_line.ts";

const ignore = !RedisServer.controllable;
const MEBIBYTE = "x".repeat(1024 * 1024);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

for (const rate of [Infinity, 20_000_000]) {
  const line = rate === Infinity ? "a fast line" : "a line of 20 MB/s";
  for (const [count, size] of [[64, 1], [48, 1], [8, 7]] as const) {
    Deno.test({
      name: `Cache.getMany() finds ${count} values of ${size} MiB over ${line} at the default deadline`,
      ignore,
      fn: () =>
        calmly(async () => {
          await using opened = await openOverALine(rate);
          const { redis: { cache }, other, errors } = opened;
          const value = MEBIBYTE.repeat(size);
          const entries = manyOf(count, (i) => value + i);
          for (const [key, value] of entries) assertEquals(await other.cache.set(key, value), true);
          const found = await cache.getMany(entries.keys());
          assertEquals([found.size, errors], [count, []]);
          assert(found.get(`key:${count - 1}`) === value + (count - 1));
        }),
    });
  }
}

Deno.test({
  name: "Logins go on while one visitor asks for 64 kept pages of 1 MiB again and again and hangs up",
  ignore,
  fn: () =>
    calmly(async () => {
      await using server = await RedisServer.start();
      const errors: unknown[] = [];
      await using redis = await connect({
        url: server.url,
        on: (event) =>
          void ((event.type === "cache.error" || event.type === "redis.disconnected") && errors.push(event)),
      });
      let made = 0;
      const page = cacheResponse(redis, { ttl: "1h" });
      const login = async () => {
        const { allowed, source } = await redis.rateLimit.check("AUTH", crypto.randomUUID());
        const { userId } = await redis.sessions.create("ada", {});
        return new Response(`${userId} ${allowed} ${source}`);
      };
      await using http = Deno.serve(
        {
          hostname: "127.0.0.1",
          port: 0,
          onListen() {},
          onError: (error) => new Response(String(error), { status: 503 }),
        },
        (request) =>
          new URL(request.url).pathname === "/login" ? login() : page(request, () => (made++, new Response(MEBIBYTE))),
      );
      const { port } = http.addr;
      const at = `http://127.0.0.1:${port}`;
      for (let i = 0; i < 64; i++) await (await fetch(`${at}/page/${i}`)).body?.cancel();
      for (let i = 0; i < 64; i++) {
        assertEquals((await (await fetch(`${at}/page/${i}`)).text()).length, MEBIBYTE.length);
      }
      [made, errors.length] = [0, 0];

      const hangUp = async (i: number) => {
        using connection = await Deno.connect({ hostname: "127.0.0.1", port });
        await connection.write(new TextEncoder().encode(`GET /page/${i} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
        await pause(5);
      };
      let attacks = 0;
      let over = false;
      const attack = (async () => {
        for (; attacks < 6; attacks++) {
          await Promise.all(Array.from({ length: 64 }, (_, i) => hangUp(i)));
          await pause(500);
        }
        over = true;
      })();
      const logins: string[] = [];
      while (!over) {
        const response = await fetch(`${at}/login`);
        logins.push(`${response.status} ${await response.text()}`);
        await pause(20);
      }
      await attack;
      assert(logins.length > 0);
      assertEquals(logins.filter((login) => login !== "200 ada true redis"), []);
      assertEquals([made, errors], [0, []]);
    }, 3),
});
