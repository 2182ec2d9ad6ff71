import { createLazyClient } from "@db/redis";
import { NAMES, TTL, VALUES } from "../workload.ts";
import type { Peer } from "./peer.ts";

/** Whether `@db/redis` is the real one, or what takes its place when JSR does not answer. */
export const REAL_CLIENT: boolean = !import.meta.resolve("@db/redis").endsWith("/tests/offline/db_redis.ts");

/** Opens `@db/redis` as it is: `GET` to a string, without parsing. */
export async function openDbRedis(url: string): Promise<Peer> {
  const { hostname, port, password, username } = new URL(url);
  const redis = createLazyClient({
    hostname,
    port: Number(port),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    noDelay: true,
  });
  await redis.sendCommand("PING");
  const keys = NAMES.map((name) => `db-redis:${name}`);
  return {
    reading: "@db/redis get",
    writing: "@db/redis set",
    read: (i) => redis.sendCommand("GET", [keys[i % keys.length]!]),
    write(i) {
      const at = i % keys.length;
      return redis.sendCommand("SET", [keys[at]!, JSON.stringify(VALUES[at]!), "EX", TTL]);
    },
    [Symbol.asyncDispose]() {
      redis.close();
      return Promise.resolve();
    },
  };
}
