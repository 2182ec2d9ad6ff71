import { assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "../../src/connect/larder.ts";
import { until } from "../support/until.ts";
import { exchange } from "../support/resp.ts";
import { DeployedRedis, possible, renderAcl } from "./deployed_redis.ts";

Deno.test({
  name: "redis.conf: who does not log in as a user of the ACL gets nothing",
  ignore: !possible,
  async fn() {
    await using redis = await DeployedRedis.start();
    const address = { hostname: redis.server.hostname, port: redis.server.port };
    const answer = (login: { username?: string; password?: string }) =>
      exchange({ ...address, ...login }, [["PING"]]).then(([reply]) => String(reply), String);
    assertStringIncludes(await answer({}), "NOAUTH");
    assertStringIncludes(await answer({ password: redis.options.password }), "WRONGPASS");
    assertStringIncludes(await answer({ username: "default", password: "" }), "WRONGPASS");
    assertStringIncludes(await answer({ username: "app", password: "wrong" }), "WRONGPASS");
    assertEquals(await answer({ username: "app", password: redis.options.password }), "PONG");
  },
});

Deno.test({
  name: "redis.conf: sessions and limits survive kill -9, although the default user is off",
  ignore: !possible,
  async fn() {
    await using redis = await DeployedRedis.start();
    let id: string;
    {
      await using larder = await connect(redis.options);
      id = (await larder.sessions.create("ada", { theme: "dark" }, { tags: ["web"] })).id;
      await larder.sessions.update(id, { theme: "light" });
      for (let i = 0; i < 5; i++) await larder.rateLimit.check("AUTH", "192.0.2.7");
      // Once a second what was written goes to the disk; what is with the kernel survives the process. On a slow disk
      // Redis keeps it back for a moment.
      const kept = async () => /aof_buffer_length:0\r/.test(String(await redis.server.cli("INFO", "persistence")));
      await until(kept, "all is with the kernel");
    }
    await redis.server.kill();
    await redis.server.restart();
    await using larder = await connect(redis.options);
    assertEquals((await larder.sessions.get(id))?.data, { theme: "light" });
    assertEquals((await larder.sessions.list("ada")).length, 1);
    assertEquals((await larder.rateLimit.peek("AUTH", "192.0.2.7")).remaining, 0);
    // Redis 8 notes what it replays from its own file, as the default user.
    assertEquals((await redis.refused()).filter((line) => !line.startsWith("default ")), []);
  },
});

Deno.test({
  name: "redis.conf says what deploy/README.md says",
  ignore: !possible,
  async fn() {
    await using redis = await DeployedRedis.start();
    const wanted = {
      "appendonly": "yes",
      "appendfsync": "everysec",
      "maxmemory": String(256 * 1024 ** 2),
      "maxmemory-policy": "volatile-lfu",
      "protected-mode": "yes",
      "save": "3600 1",
    };
    for (const [name, value] of Object.entries(wanted)) {
      assertEquals(await redis.server.cli("CONFIG", "GET", name), [name, value]);
    }
  },
});

Deno.test("users.acl.tmpl has no line that Redis would stumble over, and nothing left to fill in", async () => {
  const lines = (await renderAcl("shop.v2")).split("\n");
  assertEquals(lines.pop(), "");
  assertEquals(lines.map((line) => line.split(" ").slice(0, 3).join(" ")), [
    "user default off",
    "user app on",
    "user ops on",
  ]);
  assertEquals(lines.filter((line) => /@[A-Z_]+@/.test(line)), []);
  assertStringIncludes(
    lines[1]!,
    "~{shop.v2}:* ~{shop.v2:*}:* ~{shop.v2.*}:* resetchannels &shop.v2:* &shop.v2.*:* &shop.v2:ch:* -@all",
  );
});
