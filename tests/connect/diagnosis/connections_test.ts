import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ConfigError, connect, type ConnectOptions, UnavailableError } from "../../../mod.ts";
import { DenoProcess } from "../../support/deno_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { causeOf, ConsoleLines, see } from "../../support/situation.ts";
import { until } from "../../support/until.ts";

const ignore = !RedisServer.controllable || Deno.env.get("LARDER_TEST_REDIS_IMAGE") !== undefined;
const CERTIFICATES = new URL("certificates/", import.meta.url);
const SECRET = "correct horse battery staple";

function file(name: string): string {
  return decodeURIComponent(new URL(name, CERTIFICATES).pathname);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function startTls(certificate: string, ...args: string[]): Promise<[RedisServer, number]> {
  const port = freePort();
  const files = ["cert-file", `${certificate}.pem`, "key-file", `${certificate}.key`, "ca-cert-file", "ca.pem"];
  const tls = files.map((word, i) => i % 2 === 0 ? `--tls-${word}` : file(word));
  const all = ["--tls-port", String(port), ...tls, "--tls-auth-clients", "no", ...args];
  return [await RedisServer.start({ args: all }), port];
}

/** Looks at a server that cannot be reached, and asserts that it is told everywhere. */
async function assertUnreachable(options: ConnectOptions, reason: RegExp, address: string): Promise<void> {
  const { console, ready, health, session } = await see({ commandTimeout: "200ms", ...options });
  assertEquals(console.length, 1, console.join("\n"));
  assertMatch(console[0]!, reason);
  assert(console[0]!.startsWith(`Larder: Redis at ${address} cannot be reached: `), console[0]);
  assert(ready instanceof UnavailableError);
  assert(session instanceof UnavailableError);
  for (const error of [ready, session]) assertMatch(everythingOf(error.cause), reason);
  assertMatch(health.redis[0]!.error!, reason);
  assertMatch(health.warnings[0]!, reason);
  assertEquals([health.status, health.redis[0]!.address], ["down", address]);
  const all = Deno.inspect([console, ready, health, session], { depth: 20, showHidden: true });
  assert(!all.includes(SECRET), all);
}

function everythingOf(error: unknown): string {
  const texts: string[] = [];
  for (let each = error; each instanceof Error; each = each.cause) {
    texts.push(each.name, each.message, String((each as { code?: unknown }).code));
  }
  return texts.join(" ");
}

Deno.test("A Redis that cannot be reached is told: nothing listens there", async () => {
  const port = freePort();
  await assertUnreachable({ url: `redis://:${SECRET}@127.0.0.1:${port}` }, /refused/i, `127.0.0.1:${port}`);
});

Deno.test("A Redis that cannot be reached is told: what listens there is none", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")).catch(() => {});
      connection.close();
    }
  })().catch(() => {});
  const { port } = listener.addr;
  await assertUnreachable({ url: `redis://127.0.0.1:${port}` }, /unknown code|Unknown RESP type/, `127.0.0.1:${port}`);
});

Deno.test("A Redis that cannot be reached is told: it lets nobody in from here", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(1000));
      const reply =
        "-DENIED Redis is running in protected mode because no password is set. In this mode it is closed.\r\n";
      await connection.write(new TextEncoder().encode(reply)).catch(() => {});
      connection.close();
    }
  })().catch(() => {});
  const { port } = listener.addr;
  await assertUnreachable({ url: `redis://127.0.0.1:${port}` }, /DENIED/, `127.0.0.1:${port}`);
});

Deno.test({
  name: "A Redis that cannot be reached is told: TLS",
  ignore,
  fn: async (t) => {
    const caCerts = [await Deno.readTextFile(file("ca.pem"))];
    const cases: [string, string, RegExp, string[]][] = [
      // The stand-in for the client has the words of Node.js for these.
      ["its certificate has expired", "expired", /expired|unable to verify/i, []],
      ["its certificate is for another host", "wronghost", /not ?valid ?for ?name|altnames/i, []],
      ["it wants a certificate of the client", "redis", /CertificateRequired/, ["--tls-auth-clients", "yes"]],
    ];
    for (const [name, certificate, reason, args] of cases) {
      await t.step(name, async () => {
        const [server, port] = await startTls(certificate, ...args);
        await using _ = server;
        await assertUnreachable(
          { url: `rediss://127.0.0.1:${port}`, password: SECRET, tls: { caCerts } },
          reason,
          `127.0.0.1:${port}`,
        );
      });
    }
    const [server, port] = await startTls("redis");
    await using _ = server;
    await t.step(
      "its authority is not trusted",
      () => assertUnreachable({ url: `rediss://127.0.0.1:${port}` }, /UnknownIssuer|self-signed/, `127.0.0.1:${port}`),
    );
    await t.step(
      "TLS is not spoken to a port that speaks it",
      () => assertUnreachable({ url: `redis://127.0.0.1:${port}` }, /speaks TLS/, `127.0.0.1:${port}`),
    );
    await t.step("TLS is spoken to a port that does not speak it", async () => {
      const options = { url: `rediss://127.0.0.1:${server.port}`, password: SECRET, connectTimeout: "300ms" };
      await assertUnreachable(options, /does not speak TLS/, `127.0.0.1:${server.port}`);
    });
    await t.step("with the right authority it works, and nothing is printed", async () => {
      using lines = new ConsoleLines();
      await using larder = await connect({ url: `rediss://127.0.0.1:${port}`, tls: { caCerts } });
      await larder.ready({ timeout: "5s" });
      assertEquals([(await larder.health()).status, lines.lines], ["ok", []]);
    });
  },
});

Deno.test("A process that gives up a Redis ends, although a handshake was never answered", async (t) => {
  for (const protocol of ["rediss", "redis"]) {
    await t.step(protocol, async () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const silent: Deno.Conn[] = [];
      let asked = 0;
      const accepting = (async () => {
        for await (const connection of listener) {
          // Who is sent away without a word looks whether TLS is wanted.
          if (protocol === "redis" && asked++ % 2 === 0) connection.close();
          else silent.push(connection);
        }
      })();
      await using worker = DenoProcess.start(
        import.meta.resolve("./unanswered_worker.ts"),
        `${protocol}://127.0.0.1:${listener.addr.port}`,
      );
      assertEquals(await worker.receive(), "UnavailableError");
      await until(() => worker.ended, "the process ends");
      assertEquals(worker.ended?.code, 0);
      assert(silent.length > 0);
      listener.close();
      await accepting;
      for (const connection of silent) connection.close();
    });
  }
});

Deno.test({
  name: "A Redis that is lost is told once, and once when it is back",
  ignore,
  fn: async () => {
    using lines = new ConsoleLines();
    await using server = await RedisServer.start();
    await using larder = await connect({ url: server.url, commandTimeout: "200ms" });
    await larder.ready({ timeout: "10s" });
    await server.kill();
    await until(() => lines.lines.length === 1, "the loss is told");
    await until(async () => /refused/i.test((await larder.health()).redis[0]!.error ?? ""), "the reason is known");
    const error = await assertRejects(() => larder.sessions.create("ada", {}), UnavailableError);
    assertMatch(causeOf(error), /refused/i);
    await server.restart();
    await until(() => lines.lines.length > 1, "it is told that it is back");
    await larder.ready({ timeout: "10s" });
    const address = `127.0.0.1:${server.port}`;
    assertEquals(lines.lines.length, 2, lines.lines.join("\n"));
    assert(lines.lines[0]!.startsWith(`Larder: Redis at ${address} was lost: `), lines.lines[0]);
    assertEquals(lines.lines[1], `Larder: Redis at ${address} is back.`);
  },
});

Deno.test({
  name: "A Redis whose password was changed is told, and the password is not",
  ignore,
  fn: async () => {
    using lines = new ConsoleLines();
    await using server = await RedisServer.start();
    await server.cli("ACL", "SETUSER", "app", "on", `>${SECRET}`, "~*", "&*", "+@all");
    const login = { username: "app", password: SECRET };
    await using larder = await connect({ url: server.url, ...login, commandTimeout: "200ms" });
    await larder.ready({ timeout: "10s" });
    await server.cli("ACL", "SETUSER", "app", "resetpass", ">another");
    await server.cli("CLIENT", "KILL", "USER", "app");
    await until(() => lines.lines.some((line) => line.includes("WRONGPASS")), "the reason is told");
    const { redis: [state], status } = await larder.health();
    assertMatch(state!.error!, /^WRONGPASS/);
    assertEquals(status, "degraded");
    const error = await assertRejects(() => larder.ready({ timeout: "300ms" }), UnavailableError);
    assert(error.cause instanceof ConfigError, String(error.cause));
    assertMatch(String((error.cause as Error).cause), /WRONGPASS/);
    assert(!Deno.inspect([lines.lines, state, error], { depth: 20 }).includes(SECRET));
  },
});

Deno.test({
  name: "An error never tells what came with a command that the server does not know",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ args: ["--rename-command", "AUTH", ""] });
    const error = await assertRejects(
      () => connect({ url: server.url, username: "ada", password: SECRET }),
      ConfigError,
      "unknown command 'AUTH'",
    );
    assert(!Deno.inspect(error, { depth: 20, showHidden: true }).includes(SECRET));
    await using larder = await connect({ url: server.url });
    const foreign = await assertRejects(() => larder.client.sendCommand("NOSUCH", [SECRET]));
    assert(!String(foreign).includes(SECRET));
  },
});

Deno.test({
  name: "The connections of Larder have the namespace as their name",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using larder = await connect({ url: server.url, namespace: "shop", cache: { local: true } });
    await larder.cache.get("a");
    await until(async () => {
      const list = String(await server.cli("CLIENT", "LIST"));
      return list.match(/ name=shop /g)?.length === 2;
    }, "both connections have a name");
  },
});

Deno.test({
  name: "Processes of one namespace that differ in buckets are told",
  ignore,
  fn: async () => {
    using lines = new ConsoleLines();
    await using server = await RedisServer.start();
    const warnings: string[] = [];
    await using one = await connect({
      url: server.url,
      on: (event) => void (event.type === "warning" && warnings.push(event.message)),
    });
    assertEquals((await one.health()).status, "ok");
    await using other = await connect({ url: server.url, buckets: 4 });
    await until(async () => (await one.health()).status === "degraded", "one notices");
    assertMatch((await one.health()).warnings[0]!, /differ in "buckets".*this one has 1, others have 4$/);
    assertEquals(warnings.length, 1);
    await until(async () => (await other.health()).status === "degraded", "the other notices");
    assertEquals(lines.lines.filter((line) => line.includes('differ in "buckets"')).length, 1);
    await using elsewhere = await connect({ url: server.url, buckets: 8, namespace: "elsewhere" });
    assertEquals((await elsewhere.health()).status, "ok");
    await other.close();
    await until(async () => (await one.health()).status === "ok", "who is gone does not count");
  },
});
