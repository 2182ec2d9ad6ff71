/**
 * Uses a Redis over its socket, which needs rights that tests have not: `socket_worker.ts PATH`. Says what came of it.
 *
 * @module
 */
// deno-lint-ignore-file no-console -- it talks in lines
import { connect } from "../../../mod.ts";

const [path] = Deno.args;
const said: Record<string, unknown> = {};
{
  await using redis = await connect({
    url: `unix:${path}`,
    namespace: "socket",
    cache: { local: true },
    commandTimeout: "5s",
  });
  await redis.ready({ timeout: "10s" });
  said.set = await redis.cache.set("a", "h\r\né", { tags: ["t"] });
  said.get = await redis.cache.get("a");
  said.invalidated = (await redis.cache.invalidateByTag("t")).status;
  said.gone = await redis.cache.get("a") === undefined;
  const { id } = await redis.sessions.create("ada", {});
  said.user = (await redis.sessions.get(id))?.userId;
  said.limit = (await redis.rateLimit.check("AUTH", "192.0.2.7")).source;
  said.address = (await redis.health()).redis[0]!.address;
}
{
  await using redis = await connect({ url: `unix:${path}?db=5`, namespace: "socket", on: () => {} });
  said.other = await redis.cache.set("b", 1);
  said.keyspace = String(await redis.client.sendCommand("INFO", ["keyspace"])).includes("db5:");
  await redis.client.sendCommand("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "no"]).catch(() => {});
  // What was written before the end of the connection was seen is not sent again.
  const echo = () => redis.client.sendCommand("ECHO", ["back"]);
  said.back = await echo().catch(echo);
}
console.log(JSON.stringify(said));
