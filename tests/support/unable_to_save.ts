import { RedisServer } from "./redis_server.ts";
import { until } from "./until.ts";

/** Starts a server that has failed to save and so refuses writes, and PING with them, while reads work. */
export async function startUnableToSave(): Promise<RedisServer> {
  const dir = await Deno.makeTempDir();
  const server = await RedisServer.start({ args: ["--dir", dir] });
  await server.cli("SET", "greeting", "hello");
  await Deno.remove(dir, { recursive: true });
  await server.cli("CONFIG", "SET", "save", "3600 1");
  await server.cli("BGSAVE");
  await until(async () => /MISCONF/.test(String(await server.cli("PING").catch(String))), "PING is refused");
  return server;
}
