import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfigError, connect, type ConnectOptions } from "../../../mod.ts";
import { WireClient } from "../../../src/redis/wire/client.ts";
import { DenoProcess } from "../../support/deno_process.ts";
import { RedisServer } from "../../support/redis_server.ts";

const ignore = !RedisServer.controllable || Deno.env.get("LARDER_TEST_REDIS_IMAGE") !== undefined;
const CERTIFICATES = new URL("../../connect/diagnosis/certificates/", import.meta.url);
const SECRET = "correct horse battery staple";

function file(name: string): string {
  return decodeURIComponent(new URL(name, CERTIFICATES).pathname);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Uses the cache, sessions, limits and copies, as an app does. */
async function assertWorks(options: ConnectOptions): Promise<void> {
  const namespace = `test-${crypto.randomUUID()}`;
  await using redis = await connect({ namespace, cache: { local: true }, commandTimeout: "5s", ...options });
  await redis.ready({ timeout: "10s" });
  assertEquals(await redis.cache.set("a", "h\r\né", { tags: ["t"] }), true);
  assertEquals(await redis.cache.get("a"), "h\r\né");
  assertEquals((await redis.cache.invalidateByTag("t")).status, "done");
  assertEquals(await redis.cache.get("a"), undefined);
  const { id } = await redis.sessions.create("ada", {});
  assertEquals((await redis.sessions.get(id))?.userId, "ada");
  assertEquals((await redis.rateLimit.check("AUTH", "192.0.2.7")).source, "redis");
}

Deno.test({
  name: "WireClient logs in as an ACL user, into the database that it is told, under its name",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    const { hostname, port } = server;
    await server.cli("ACL", "SETUSER", "app", "on", `>${SECRET}é:@/`, "~*", "&*", "+@all");
    const login = { hostname, port, username: "app", password: `${SECRET}é:@/` };
    await t.step("user, password, database and name", async () => {
      const client = new WireClient({ ...login, db: 3 }, { clientName: "shop" });
      await client.start();
      const [info] = await client.pipeline([{ name: "CLIENT", args: ["INFO"], text: true }]);
      for (const part of [" user=app ", " db=3 ", " name=shop "]) assert(String(info).includes(part), String(info));
      await client.close();
    });
    const refused: [string, object, RegExp][] = [
      ["a wrong password", { ...login, password: "wrong" }, /WRONGPASS/],
      ["no password where one is wanted", { hostname, port }, /NOAUTH/],
      ["a database that is not there", { ...login, db: 99 }, /DB index is out of range/],
    ];
    for (const [name, address, reply] of refused) {
      await t.step(name, async () => {
        if (name.startsWith("no password")) await server.cli("ACL", "SETUSER", "default", `>${SECRET}`);
        const client = new WireClient(address as typeof login);
        const error = await assertRejects(() => client.start(), ConfigError, `127.0.0.1:${port} accepts`);
        assert(reply.test(error.message), error.message);
        assert(!Deno.inspect(error, { depth: 9, showHidden: true }).includes(SECRET));
        await client.close();
      });
    }
  },
});

Deno.test({
  name: "A Redis is reached over its socket",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/redis.sock`;
    try {
      await using _server = await RedisServer.start({ args: ["--unixsocket", path] });
      await using worker = DenoProcess.start(import.meta.resolve("./socket_worker.ts"), path);
      assertEquals(await worker.receive(), {
        set: true,
        get: "h\r\né",
        invalidated: "done",
        gone: true,
        user: "ada",
        limit: "redis",
        address: `unix:${path}`,
        other: true,
        keyspace: true,
        back: "back",
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "A Redis over TLS that wants a certificate is shown the one that is given",
  ignore,
  fn: async (t) => {
    const port = freePort();
    const files = ["cert-file", "redis.pem", "key-file", "redis.key", "ca-cert-file", "ca.pem"];
    const tls = files.map((word, i) => i % 2 === 0 ? `--tls-${word}` : file(word));
    await using _server = await RedisServer.start({
      args: ["--tls-port", String(port), ...tls, "--tls-auth-clients", "yes"],
    });
    const read = (name: string) => Deno.readTextFile(file(name));
    const caCerts = [await read("ca.pem")];
    const [cert, key] = [await read("redis.pem"), await read("redis.key")];
    const url = `rediss://127.0.0.1:${port}`;
    await t.step("with it, everything works", () => assertWorks({ url, tls: { caCerts, cert, key } }));
    await t.step("without it, it is told", async () => {
      const told: string[] = [];
      await using redis = await connect({
        url,
        tls: { caCerts },
        on: (event) => void (event.type === "redis.disconnected" && told.push(String(event.error))),
      });
      assertEquals(await redis.cache.set("a", 1), false);
      assert(/certificate/i.test(told[0]!), told[0]);
    });
  },
});

Deno.test({
  name: "WireClient makes a second attempt beside one that gets no answer, and the first to answer counts",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    // The first connection gets no answer, as from a server that was just starting; the next ones are passed on.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const open: Deno.Conn[] = [];
    const work = (async () => {
      for await (const connection of listener) {
        open.push(connection);
        if (open.length === 1) continue;
        const behind = await Deno.connect({ hostname: server.hostname, port: server.port });
        open.push(behind);
        connection.readable.pipeTo(behind.writable).catch(() => {});
        behind.readable.pipeTo(connection.writable).catch(() => {});
      }
    })();
    const client = new WireClient({ hostname: "127.0.0.1", port: listener.addr.port }, { connectTimeout: 30_000 });
    await client.start(); // else it would wait for all of its time, and have failed
    assertEquals(await client.pipeline([{ name: "PING", args: [], text: true }]), ["PONG"]);
    assertEquals(client.generation, 1);
    // The other is closed: its end can be read.
    assertEquals(await readAll(open[0]!), null);
    await client.close();
    listener.close();
    await work.catch(() => {});
    for (const connection of open) {
      try {
        connection.close();
      } catch {
        // It is closed already.
      }
    }
  },
});

async function readAll(connection: Deno.Conn): Promise<null> {
  const buffer = new Uint8Array(1000);
  while (await connection.read(buffer) !== null);
  return null;
}
