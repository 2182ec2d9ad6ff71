import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../../mod.ts";
import { RedisError, UnavailableError } from "../../../src/errors.ts";
import { RedisCluster } from "../../support/redis_cluster.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { causeOf, see, type Seen } from "../../support/situation.ts";

const ignore = !RedisServer.controllable;
const SECRET = "the-password-of-the-app";

interface Situation {
  readonly args?: string[];
  readonly options?: object;
  /** Done to the server before anybody connects. */
  readonly before?: (server: RedisServer) => Promise<unknown>;
  /** Done when all is well. */
  readonly change?: (server: RedisServer) => Promise<unknown>;
  /** What the reply says. */
  readonly reply: RegExp;
  /** The code of the error of a session, if that rejects. */
  readonly code?: string;
  /** Whether only somebody can mend it, so that ready() does not wait. */
  readonly lasting?: boolean;
}

const user = (...rules: string[]) => ({
  before: (server: RedisServer) => server.cli("ACL", "SETUSER", "app", "on", `>${SECRET}`, ...rules),
  options: { username: "app", password: SECRET },
});
const ALL = ["~*", "&*", "+@all"];

const situations: Record<string, Situation> = {
  "EVAL renamed": {
    args: ["--rename-command", "EVAL", ""],
    reply: /unknown command 'EVAL'/i,
    code: "ERR",
    lasting: true,
  },
  "EVALSHA renamed": {
    args: ["--rename-command", "EVALSHA", ""],
    reply: /unknown command 'EVALSHA'/i, // what is written may go out whole
    lasting: true,
  },
  "TIME renamed": {
    args: ["--rename-command", "TIME", ""],
    reply: /unknown (redis )?command/i,
    code: "ERR",
    lasting: true,
  },
  "a user without scripts": { ...user(...ALL, "-@scripting"), reply: /^NOPERM/, code: "NOPERM", lasting: true },
  "a user for other keys": { ...user("~other:*", "&*", "+@all"), reply: /^NOPERM/, code: "NOPERM", lasting: true },
  "a user whose scripts may not write": {
    ...user(...ALL, "-hset", "-zadd"),
    reply: /^NOPERM/,
    code: "NOPERM",
    lasting: true,
  },
  "a server that is full": {
    change: (server) => server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1"),
    reply: /^OOM/,
    code: "OOM",
  },
  "a replica": { change: (server) => server.cli("REPLICAOF", "127.0.0.1", "1"), reply: /^READONLY/, code: "READONLY" },
  "too few replicas": {
    change: (server) => server.cli("CONFIG", "SET", "min-replicas-to-write", "1"),
    reply: /^NOREPLICAS/,
    code: "NOREPLICAS",
  },
};

for (const [name, { args, options, before, change, reply, code, lasting = false }] of Object.entries(situations)) {
  Deno.test({
    name: `What is refused is told: ${name}`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start({ args: args ?? [] });
      await before?.(server);
      const seen = await see({ url: server.url, ...options }, change && (() => change(server)));
      assertTold(seen, reply);
      assert(seen.ready instanceof UnavailableError);
      assertEquals(seen.ready.reason, lasting ? "refused" : "timeout");
      if (code !== undefined) {
        assert(seen.session instanceof UnavailableError, String(seen.session));
        assertEquals([seen.session.reason, seen.session.code], ["refused", code]);
        assert(seen.session.cause instanceof RedisError);
        assert(!seen.session.message.includes("connection failed"), seen.session.message);
      }
      const all = Deno.inspect(seen, { depth: 20 });
      assert(!all.includes(SECRET), all);
    },
  });
}

Deno.test({
  name: "What is refused is told: one node of a cluster by its URL",
  ignore: !RedisCluster.possible,
  fn: async () => {
    await using cluster = await RedisCluster.start();
    for (const buckets of [1, 16]) {
      // A namespace whose own slot is on another node.
      let namespace = "";
      for (let i = 0;; i++) {
        namespace = `ns${i}`;
        if (await cluster.ownerOf(`{${namespace}}`) !== cluster.nodes[0]) break;
      }
      const { hostname, port } = cluster.nodes[0]!;
      const seen = await see({ url: `redis://${hostname}:${port}`, namespace, buckets });
      assertTold(seen, /^MOVED/);
      assertEquals((seen.ready as UnavailableError).code, "MOVED");
    }
  },
});

Deno.test({
  name: "What is refused is told: a server that is busy with somebody's script",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ args: ["--lua-time-limit", "1"] });
    const seen = await see({ url: server.url }, async () => {
      server.cli("EVAL", "while true do end", 0).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 100));
    });
    assertMatch(seen.health.warnings[0]!, /BUSY/);
    assertEquals((seen.session as UnavailableError).code, "BUSY");
    await server.cli("SCRIPT", "KILL");
  },
});

Deno.test({
  name: "What is refused is over when it works again",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const { connect } = await import("../../../mod.ts");
    await using larder = await connect({ url: server.url, on: () => {} });
    await server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1");
    assertEquals((await larder.health()).status, "degraded");
    await server.cli("CONFIG", "SET", "maxmemory", "0");
    await larder.cache.set("a", 1);
    const { status, redis } = await larder.health();
    assertEquals([status, redis[0]!.error], ["ok", undefined]);
    await larder.ready({ timeout: "5s" });
  },
});

function assertTold({ console, ready, health }: Seen, reply: RegExp): void {
  assertEquals(health.status, "degraded");
  const [server] = health.redis;
  assertMatch(server!.error!, new RegExp(reply.source.replace("^", ""), reply.flags));
  assertMatch(causeOf(ready), reply);
  const lines = console.filter((line) => line.includes(" refuses "));
  assertEquals(lines.length, 1, console.join("\n"));
  assertMatch(lines[0]!, new RegExp(reply.source.replace("^", ""), reply.flags));
  assert(lines[0]!.includes(server!.address!), lines[0]);
}

Deno.test("A key of another type is told on the console once", async () => {
  await using server = await RedisServer.start();
  const { connectionReport } = await import("../../../src/connect/connection_report.ts");
  const lines: string[] = [];
  const report = connectionReport((line) => lines.push(line));
  await using redis = await connect({ url: server.url, namespace: "ours", on: report, commandTimeout: "10s" });
  const { id } = await redis.sessions.create("ada", {});
  for (const key of await server.cli("KEYS", "{ours}:s*") as string[]) {
    await server.cli("DEL", key);
    await server.cli("SADD", key, "theirs");
  }
  for (let i = 0; i < 2; i++) await redis.sessions.get(id).catch(() => {});
  assertEquals(lines.length, 1);
  assertMatch(lines[0]!, /WRONGTYPE .*\. Somebody else uses keys of this namespace\.$/);
});
