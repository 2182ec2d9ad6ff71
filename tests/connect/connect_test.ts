import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigError, UnavailableError } from "../../src/errors.ts";
import { connect } from "../../src/connect/larder.ts";
import { RedisServer } from "../support/redis_server.ts";
import { TcpProxy } from "../support/proxy.ts";
import { EventLog, until } from "../support/until.ts";

const ignore = !RedisServer.controllable;

/** Everything that an error says, its causes among it. */
function everythingOf(error: unknown): string {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error; at = at.cause) {
    chain.push(at.message, at.stack, JSON.stringify(at), { ...at });
  }
  return Deno.inspect([error, chain], { depth: 20, showHidden: true });
}

Deno.test("connect() works on a server by its URL", async () => {
  await using server = await RedisServer.start();
  const log = new EventLog();
  await using redis = await connect({ url: server.url, namespace: `test-${crypto.randomUUID()}`, on: log.on });
  assertEquals(log.events, [{
    type: "redis.connected",
    client: "larder",
    server: "all",
    address: `${server.hostname}:${server.port}`,
  }]);
  assertEquals(redis.store, "redis");
  await redis.ready({ timeout: "1s" });
  assertEquals(await redis.cache.set("key", new Date(7), { ttl: 10 }), true);
  assertEquals(await redis.cache.get("key"), new Date(7));
  assertEquals(await redis.client.sendCommand("PING"), "PONG");
});

Deno.test({
  name: "connect() rejects for refused credentials and never tells the password",
  ignore,
  fn: async (t) => {
    const secret = "correct horse battery staple";
    await using server = await RedisServer.start({ args: ["--requirepass", secret] });
    const url = `redis://127.0.0.1:${server.port}`;
    await server.cli("ACL", "SETUSER", "app", "on", `>${secret}`, "~*", "&*", "+@all");

    const wrong = "hunter2-is-wrong";
    for (
      const [name, options] of Object.entries({
        "a wrong password": { url, password: wrong },
        "a wrong password of a user": { url, username: "app", password: wrong },
        "a user that is not there": { url, username: "nobody", password: wrong },
        "a password in the URL": { url: `redis://app:${wrong}@127.0.0.1:${server.port}` },
        "no password": { url },
      })
    ) {
      await t.step(name, async () => {
        const log = new EventLog();
        const error = await assertRejects(() => connect({ ...options, on: log.on }), ConfigError);
        assertEquals(error.setting, "the Redis credentials or database");
        assertStringIncludes(error.message, `a login that 127.0.0.1:${server.port} accepts`);
        const told = everythingOf(error) + Deno.inspect(log.events, { depth: 20 });
        assert(!told.includes(wrong) && !told.includes(secret), `the password is in ${told}`);
      });
    }

    await t.step("nothing stays open", async () => {
      const clients = async () => String(await server.cli("CLIENT", "LIST")).trim().split("\n").length;
      await until(async () => await clients() === 1, "only the connection that asks is open");
    });

    await t.step("the right login works", async () => {
      await using redis = await connect({ url, username: "app", password: secret });
      assertEquals(await redis.client.sendCommand("ACL", ["WHOAMI"]), "app");
      await using other = await connect({ url: server.url });
      assertEquals(await other.client.sendCommand("ACL", ["WHOAMI"]), "default");
    });
  },
});

Deno.test({
  name: "connect() uses the database that it is told to use, and rejects for one that is not there",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using redis = await connect({ url: `${server.url}/3`, namespace: "test" });
    assertEquals(await redis.cache.set("key", 1), true);
    await server.cli("CLIENT", "KILL", "TYPE", "normal");
    await until(() => redis.cache.get("key"), "it has connected again, to the same database");
    assertStringIncludes(String(await server.cli("INFO", "keyspace")), "db3:keys=2"); // the entry and the ledger
    assert(!String(await server.cli("INFO", "keyspace")).includes("db0:"));
    const error = await assertRejects(() => connect({ url: server.url, db: 999 }), ConfigError);
    assertStringIncludes(error.message, "DB index is out of range");
  },
});

Deno.test({
  name: "connect() gives a degraded object when the server is down, which comes up by itself",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await server.kill();
    const log = new EventLog();
    await using redis = await connect({ url: server.url, namespace: "test", on: log.on });
    assertEquals(log.events.map(({ type }) => type), ["redis.circuit", "redis.disconnected"]);
    assertEquals(await redis.cache.get("key"), undefined);
    assertEquals(await redis.cache.getOrSet("key", () => 7), 7);
    assertEquals(await redis.cache.set("key", 8), false);
    assertEquals(await redis.cache.invalidateByTag("tag"), { status: "queued" });
    const error = await assertRejects(() => redis.ready({ timeout: "100ms" }), UnavailableError);
    assertEquals([error.operation, error.reason], ["wait for Redis", "timeout"]);
    assertStringIncludes(error.message, "no answer within the deadline; what was said last: Connection refused");
    const controller = new AbortController();
    const waiting = redis.ready({ signal: controller.signal });
    controller.abort(new Error("enough"));
    await assertRejects(() => waiting, Error, "enough");

    const ready = redis.ready();
    await log.have("redis.disconnected", 3);
    await server.restart();
    await ready;
    assertEquals(await redis.cache.set("key", 9), true);
    assertEquals(await redis.cache.get("key"), 9);
    assertEquals(log.of("redis.connected").length, 1);
  },
});

Deno.test({
  name: "connect() keeps trying when a server that was down refuses the credentials later",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ args: ["--requirepass", "old"] });
    await server.kill();
    const log = new EventLog();
    const url = `redis://127.0.0.1:${server.port}`;
    await using redis = await connect({ url, password: "new", namespace: "test", on: log.on });
    await server.restart();
    await log.have("redis.disconnected", 2, ({ error }) => error instanceof ConfigError);
    // Somebody mends the server.
    await server.cli("CONFIG", "SET", "requirepass", "new");
    await redis.ready({ timeout: "60s" });
    assertEquals(await redis.cache.set("key", 1), true);
  },
});

Deno.test({
  name: "connect() does not wait for ever for a server that accepts connections and hangs",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await server.pause();
    const log = new EventLog();
    const start = performance.now();
    await using redis = await connect({ url: server.url, namespace: "test", on: log.on });
    assert(performance.now() - start < 5000, "the first attempt should end by itself");
    const [event] = log.of("redis.disconnected");
    assertInstanceOf(event!.error, UnavailableError);
    assertEquals(event!.error.reason, "timeout");
    assertEquals(await redis.cache.get("key"), undefined);
    await server.resume();
    await redis.ready({ timeout: "60s" });
    assertEquals(await redis.cache.set("key", 1), true);
  },
});

Deno.test({
  name: "Larder.close() ends at once whatever the server does, and all calls after it are refused",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    const redis = await connect({ url: proxy.url, namespace: "test", commandTimeout: "10s" });
    await server.pause();
    const calls = [redis.client.sendCommand("PING"), redis.client.sendCommand("ECHO", ["a"])];
    const loaded = redis.cache.getOrSet("key", () => 7);
    const ended = Promise.allSettled([...calls, loaded]);
    await redis.close();
    for (const outcome of await ended) {
      assert(outcome.status === "rejected" && outcome.reason instanceof UnavailableError, Deno.inspect(outcome));
      assertEquals(outcome.reason.reason, "closed");
    }
    await redis.close();
    await assertRejects(() => redis.client.sendCommand("PING"), UnavailableError, "it was closed");
    await assertRejects(() => redis.cache.get("key"), UnavailableError, "it was closed");
    await until(() => proxy.connections === 0, "its connections are closed");
    await server.resume();
  },
});

Deno.test({
  name: "Larder lets a process end that is done, and keeps one alive that waits for an answer",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    const run = async (program: string): Promise<string> => {
      const mapped = import.meta.resolve("@db/redis").startsWith("file:");
      const larder = import.meta.resolve("../../src/connect/larder.ts");
      const code = `import { connect } from "${larder}";
        const log = console.log;
        // Nothing but the timers and sockets of Larder keeps it alive.
        async function main() {
          const redis = await connect({ url: "${server.url}", namespace: "test" });
          ${program}
        }
        main();`;
      const file = await Deno.makeTempFile({ suffix: ".ts" });
      try {
        await Deno.writeTextFile(file, code);
        const root = new URL("../../", import.meta.url).pathname;
        const { stdout, stderr, code: ended } = await new Deno.Command(Deno.execPath(), {
          args: [
            ...["run", "--no-lock", "--no-check", "--allow-all", "--config", `${root}deno.json`],
            ...(mapped ? ["--import-map", `${root}tests/offline/import_map.json`] : []),
            file,
          ],
          env: { NO_COLOR: "1" },
          stdin: "null",
        }).output();
        const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
        return ended === 0 ? text(stdout) : `${text(stdout)}, then ${ended}: ${text(stderr)}`;
      } finally {
        await Deno.remove(file);
      }
    };

    await t.step("done, and closed", async () => {
      assertEquals(await run(`log(await redis.cache.set("a", 1)); await redis.close();`), "true");
    });
    await server.kill();
    await t.step("without a server: calls end, nothing hangs", async () => {
      assertEquals(
        await run(`log(await redis.cache.get("a"), await redis.cache.getOrSet("a", () => 7));`),
        "undefined 7",
      );
    });
    await t.step("without a server: ready() waits until there is one", async () => {
      const waiting = run(
        `log("waiting"); await redis.ready(); log(await redis.cache.set("a", 1)); await redis.close();`,
      );
      await new Promise((resolve) => setTimeout(resolve, 600)); // longer than it takes to start, and to end by mistake
      await server.restart();
      assertEquals(await waiting, "waiting\ntrue");
    });
    await t.step("a call that waits for a new connection is answered", async () => {
      // The server ends all connections, and comes back before the deadline.
      assertEquals(
        await run(`
          await redis.cache.set("a", 1);
          await redis.client.sendCommand("CLIENT", ["KILL", "TYPE", "normal", "SKIPME", "no"]).catch(() => {});
          // One that was sent before the end of the connection was seen is not sent again.
          const echo = () => redis.client.sendCommand("ECHO", ["again"]);
          log(await echo().catch(echo));
          await redis.close();`),
        "again",
      );
    });
  },
});
