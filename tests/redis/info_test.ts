import { assertEquals } from "@std/assert";
import { parseRedisInfo } from "../../src/redis/info.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test("parseRedisInfo() names Valkey and its own version, not that of the Redis that it is compatible with", () => {
  const common = "# Server\r\nredis_version:7.2.4\r\n";
  const { engine, version } = parseRedisInfo(`${common}server_name:valkey\r\nvalkey_version:8.1.1\r\n`);
  assertEquals([engine, version], ["valkey", "8.1.1"]);
  const redis = parseRedisInfo(common);
  assertEquals([redis.engine, redis.version], ["redis", "7.2.4"]);
});

Deno.test("parseRedisInfo() leaves out what a server does not tell", () => {
  assertEquals(parseRedisInfo(""), {});
  assertEquals(parseRedisInfo("# Server\nupstash_version:1.20.2\nredis_mode:standalone\n"), {});
});

Deno.test("parseRedisInfo() knows the server that runs", async () => {
  await using server = await RedisServer.start();
  const { engine, version, memory, keys } = parseRedisInfo(String(await server.cli("INFO")));
  const said = /^# Server\r?\nserver_name:valkey|valkey_version/m.test(String(await server.cli("INFO", "server")));
  assertEquals([engine, typeof version, memory!.used > 0, keys], [said ? "valkey" : "redis", "string", true, 0]);
});
