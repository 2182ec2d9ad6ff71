import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect, type Larder, RedisError, UnavailableError } from "../../mod.ts";
import { LockTimeoutError } from "../../src/locks/errors.ts";
import { commandsOf } from "../deploy/deployed_redis.ts";
import { openOnCluster } from "../support/open_on_cluster.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { USES } from "./rights_uses.ts";

const ignore = !RedisServer.controllable;
const PASSWORD = "secret";
/** How long somebody who waits for what is refused may go on, in milliseconds: nothing comes of it. */
const GRACE = 200;
/** The same where nobody says that it is refused, as where that was said a moment ago. */
const LIMIT = 1500;
/** How many users are tried at a time. */
const AT_A_TIME = 8;

/** What nobody misses; of `PING`, `connect()` tells. */
const MISSED_BY_NOBODY = ["auth", "client|setname", "cluster|nodes", "info", "ping"];
/** What only very much of something comes to, and who looks at the health: it is tried from the start. */
const RARE = ["strlen", "zremrangebyrank", "zrevrangebyscore"];
/** What a use comes to where something is refused to it, other than that it works. */
const TOLD = [UnavailableError, RedisError, LockTimeoutError];
/** Uses of which nothing may be missing without an error. */
const STRICT: ReadonlySet<string> = new Set(["sessions", "locks"]);

/** A user who may do everything but these, and the one Larder that is his. */
async function open(server: RedisServer, user: string, missing: readonly string[], url = server.url): Promise<Larder> {
  const rules = ["on", `>${PASSWORD}`, "~*", "&*"];
  for (const command of await commandsOf("app")) if (!missing.includes(command)) rules.push(`+${command}`);
  await server.cli("ACL", "SETUSER", user, ...rules);
  return await connect({
    ...{ url, username: user, password: PASSWORD, namespace: user, commandTimeout: "10s", cache: { local: true } },
    rateLimit: { timeout: "10s" },
    on: (event) => void (event.type === "redis.refused" && refusedTo.get(user)?.()),
  });
}

/** Who waits for the first refusal to a user. */
const refusedTo = new Map<string, () => void>();

/** Uses some services at once; gives what each failed with. What waits for what is missing is not waited for. */
async function use(
  larder: Larder,
  user: string,
  { command, names }: { readonly command: string; readonly names: readonly string[] },
): Promise<Map<string, unknown>> {
  const failed = new Map<string, unknown>();
  const waits = new Set(names);
  const run = async (name: string) => {
    await USES[name]!(larder).catch((error) => failed.set(name, error));
    waits.delete(name);
  };
  // Those of the cache one after the other, since one of them clears all of it.
  const ofCache = names.filter((name) => name.startsWith("cache: "));
  const inOrder = async () => {
    for (const name of ofCache) await run(name);
  };
  const all = [inOrder(), ...names.filter((name) => !ofCache.includes(name)).map(run)];
  const timers: ReturnType<typeof setTimeout>[] = [];
  const late = new Promise<void>((resolve) => {
    if (MISSED_BY_NOBODY.includes(command)) return;
    timers.push(setTimeout(resolve, LIMIT));
    refusedTo.set(user, () => timers.push(setTimeout(resolve, GRACE)));
  });
  await Promise.race([Promise.all(all), late]);
  for (const timer of timers) clearTimeout(timer);
  refusedTo.delete(user);
  for (const name of waits) failed.set(name, new UnavailableError("wait", "refused"));
  return failed;
}

/** Which commands each use comes to, by the figures of the server. */
async function commandsByUse(): Promise<Map<string, Set<string>>> {
  await using server = await RedisServer.start();
  const all = new Map<string, Set<string>>();
  for (const [i, [name, run]] of Object.entries(USES).entries()) {
    await using larder = await open(server, `all${i}`, []);
    await server.cli("CONFIG", "RESETSTAT");
    await run(larder);
    const figures = String(await server.cli("INFO", "commandstats"));
    all.set(name, new Set(Array.from(figures.matchAll(/^cmdstat_([^:]+):/gm), ([, command]) => command!)));
  }
  return all;
}

Deno.test({
  name: "Whoever lacks one command of the ACL is told which, by each service that needs it, and until he has it",
  ignore,
  fn: async (t) => {
    const needs = await commandsByUse();
    const listed = [...await commandsOf("app")].sort();
    const rows = listed.map((command) => {
      const names = Object.keys(USES).filter((name) => needs.get(name)!.has(command));
      return { command, names };
    });
    // Each command is needed by somebody, so that each is tried; who has a subscription ends it at last.
    const ends = ["psubscribe", "subscribe", "ssubscribe"].map((name) => name.replace("sub", "unsub"));
    const unneeded = rows.filter(({ names }) => names.length === 0).map(({ command }) => command);
    assertEquals(unneeded.filter((command) => ![...MISSED_BY_NOBODY, ...RARE, ...ends].includes(command)), []);

    await using server = await RedisServer.start();
    const tried = rows.filter(({ command }) => command !== "ping" && !ends.includes(command));
    for (let i = 0; i < tried.length; i += AT_A_TIME) {
      const some = tried.slice(i, i + AT_A_TIME);
      await t.step(`without ${some.map(({ command }) => command).join(", ")}`, async () => {
        await Promise.all(some.map(async (row, at) => {
          const { command } = row;
          const user = `u${i + at}`;
          await using larder = await open(server, user, [command]);
          const failed = await use(larder, user, row);
          for (const [name, error] of failed) {
            const told = !STRICT.has(name) || TOLD.some((kind) => error instanceof kind);
            assert(told, `${command}, ${name}: ${Deno.inspect(error)}`);
          }
          const { status, warnings, redis } = await larder.health();
          if (MISSED_BY_NOBODY.includes(command)) {
            assertEquals([status, [...failed]], ["ok", []], `${command}: ${warnings}`);
            return;
          }
          const said = `${command}, ${[...failed.keys()]}: ${warnings}`;
          assertEquals(status, "degraded", said);
          assertStringIncludes(redis[0]!.error!.toLowerCase(), command, said);

          await server.cli("ACL", "SETUSER", user, `+${command}`);
          await until(async () => {
            if ((await larder.health()).status === "ok") return true;
            await use(larder, user, row);
            return false;
          }, `${command} is no longer missing`);
        }));
      });
    }
  },
});

Deno.test({
  name: "ready() rejects where a command is missing that cache, sessions, limits or locks need, and names it",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    for (const [i, command] of ["hget", "hdel", "psetex", "getrange"].entries()) {
      await using larder = await open(server, `r${i}`, [command]);
      const error = await larder.ready({ timeout: "10s" }).catch((error) => error);
      assert(error instanceof UnavailableError);
      assertEquals([error.operation, error.reason, error.code], ["wait for Redis", "refused", "NOPERM"]);
      const at = `${server.hostname}:${server.port}`;
      const lacked = command.toUpperCase();
      const expected = `Cannot wait for Redis: Redis at ${at} is unavailable: its user may not run ${lacked} (NOPERM)`;
      assertEquals(error.message, expected);
    }
    await using larder = await open(server, "all", []);
    await larder.ready({ timeout: "10s" });
    assertEquals(await server.cli("EXISTS", "{all}:rights"), 0);
  },
});

Deno.test({
  name: "Nothing is asked of a user who may do everything but once in a while: health() sends no more than before",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using larder = await open(server, "app", []);
    await larder.health();
    await server.cli("CONFIG", "RESETSTAT");
    for (let i = 0; i < 5; i++) await larder.health();
    const figures = String(await server.cli("INFO", "commandstats"));
    // What only the script that tries them runs.
    for (const command of ["rename", "append", "hget", "persist"]) {
      assert(!figures.includes(`cmdstat_${command}:`), command);
    }
  },
});

Deno.test({
  name: "A session is not taken for gone where the server refuses to look, or has no such command",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ args: ["--rename-command", "HMGET", ""] });
    await using larder = await connect({ url: server.url, on: () => {} });
    const { id } = await larder.sessions.create("ada", {}).catch(() => ({ id: "A".repeat(43) }));
    const error = await larder.sessions.get(id).catch((error) => error);
    assert(error instanceof UnavailableError, String(error));
    assertMatch(String(error.cause), /unknown/i);
    const { status, warnings } = await larder.health();
    assertEquals(status, "degraded");
    assertMatch(warnings.join(), /it has no HMGET \(unknown command\)|unknown command 'HMGET'/);
  },
});

Deno.test({
  name: "On a cluster a node whose user lacks a command is found out, and when he has it",
  ignore: !RedisCluster.possible,
  fn: async () => {
    await using cluster = await RedisCluster.start();
    const [node] = cluster.nodes;
    // The first bucket is on another node: what is tried there says nothing of this one.
    let namespace = "";
    for (let i = 0;; i++) {
      namespace = `ns${i}`;
      const owners = await Promise.all([0, 1, 2, 3].map((bucket) => cluster.ownerOf(`{${namespace}:${bucket}}`)));
      if (owners[0] !== node && owners.includes(node!)) break;
    }
    await using opened = await openOnCluster(cluster, { namespace, buckets: 4, on: () => {} });
    const { redis: larder } = opened;
    const users = Array.from({ length: 40 }, (_, i) => `user${i}`);
    const sessions = await Promise.all(users.map((user) => larder.sessions.create(user, { a: 1 })));
    await node!.cli("ACL", "SETUSER", "default", "-hget");
    const updates = () => Promise.allSettled(sessions.map(({ id }) => larder.sessions.update(id, { a: 2 })));
    const outcomes = await updates();
    assert(outcomes.some(({ status }) => status === "rejected"));
    assert(outcomes.every((one) => one.status === "rejected" || one.value)); // none is taken for gone
    const { status, warnings } = await larder.health();
    assertEquals(status, "degraded");
    assertMatch(warnings.join(), /HGET/i);
    await node!.cli("ACL", "SETUSER", "default", "+hget");
    assertEquals((await larder.health()).status, "ok");
  },
});
