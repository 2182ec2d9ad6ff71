import { assertEquals, assertMatch } from "@std/assert";
import { connect, type Larder } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";
import { ConsoleLines } from "../support/situation.ts";
import { EventLog } from "../support/until.ts";

Deno.test("Who connects for each request, and closes nothing, is told once", async () => {
  using lines = new ConsoleLines();
  await using server = await RedisServer.start();
  const open: Larder[] = [];
  const connected = async (on?: EventLog["on"]) => {
    const redis = await connect({ url: server.url, namespace: "shop", on });
    open.push(redis);
    return redis;
  };
  for (let i = 0; i < 40; i++) await (await connected()).close();
  assertEquals(lines.lines, []);
  for (let i = 0; i < 15; i++) await connected();
  assertEquals(lines.lines, []);
  for (let i = 0; i < 5; i++) await connected();
  assertEquals(lines.lines.length, 1);
  assertMatch(
    lines.lines[0]!,
    /16 Larders are open on Redis at 127\.0\.0\.1:\d+ in this process.* call connect\(\) once/,
  );
  for (const redis of open.splice(0)) await redis.close();
  for (let i = 0; i < 20; i++) await connected();
  assertEquals(lines.lines.length, 1);
  await using another = await RedisServer.start();
  const log = new EventLog();
  for (let i = 0; i < 16; i++) open.push(await connect({ url: another.url, on: log.on }));
  assertEquals([log.of("warning").length, lines.lines.length], [1, 1]);
  for (const redis of open) await redis.close();
});
