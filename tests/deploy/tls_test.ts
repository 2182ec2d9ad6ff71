import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { connect } from "../../src/connect/larder.ts";
import { CERTIFICATES, DeployedRedis, possible } from "./deployed_redis.ts";

Deno.test({
  name: "tls.conf: the app connects with the authority that it is told to trust, and with no other",
  ignore: !possible,
  async fn(t) {
    await using redis = await DeployedRedis.start({ tls: true });
    const { username, password } = redis.options;
    const options = { url: `rediss://127.0.0.1:${redis.tlsPort}`, username, password };
    const authority = await Deno.readTextFile(new URL("ca.pem", CERTIFICATES));

    await t.step("with it", async () => {
      await using larder = await connect({ ...options, tls: { caCerts: [authority] }, cache: { local: true } });
      await larder.ready({ timeout: "5s" });
      assertEquals(await larder.cache.set("a", 1, { tags: ["t"] }), true);
      assertEquals((await larder.cache.invalidateByTag("t")).status, "done");
      const { id } = await larder.sessions.create("ada", {});
      assertEquals((await larder.sessions.get(id))?.userId, "ada");
      assertEquals((await larder.rateLimit.check("AUTH", "192.0.2.7")).source, "redis");
      assertEquals((await larder.health()).status, "ok");
    });

    await t.step("without it", async () => {
      const errors: string[] = [];
      await using larder = await connect({
        ...options,
        on: (event) => void (event.type === "redis.disconnected" && errors.push(String(event.error))),
      });
      await assertRejects(() => larder.ready({ timeout: "500ms" }), UnavailableError);
      assertEquals(await larder.cache.set("a", 1), false);
      assertMatch(errors[0]!, /certificate|UnknownIssuer/i);
    });

    await t.step("without TLS", async () => {
      await using larder = await connect({ ...options, url: `redis://127.0.0.1:${redis.tlsPort}` });
      await assertRejects(() => larder.ready({ timeout: "500ms" }), UnavailableError);
    });
    assertEquals(await redis.refused(), []);
  },
});
