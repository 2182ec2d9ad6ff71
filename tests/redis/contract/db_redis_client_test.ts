import { connect } from "@db/redis";
import { type DbRedisLike, fromDbRedis } from "../../../src/redis/adapters/from_db_redis.ts";
import { HAS_DB_REDIS, testWithDbRedis } from "../../support/jsr.ts";
import { testClient } from "./client_suite.ts";

function addressOf(text: string): { hostname: string; port: number; username?: string; password?: string } {
  const { hostname, port, username, password } = new URL(text);
  return {
    hostname,
    port: Number(port),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
}

if (HAS_DB_REDIS) {
  testClient({
    name: "fromDbRedis()",
    subscribes: false,
    open: async (url) => {
      const redis = await connect({ ...addressOf(url), maxRetryCount: 0, noDelay: true });
      return {
        client: fromDbRedis(redis as unknown as DbRedisLike),
        owner: { ping: () => redis.sendCommand("PING"), close: () => redis.close() },
      };
    },
  });
} else {
  testWithDbRedis("fromDbRedis() passes the contract of clients", () => {});
}
