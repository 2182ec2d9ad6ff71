import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { connect } from "../../../mod.ts";
import { RedisError, UnavailableError } from "../../../src/errors.ts";
import { WireClient } from "../../../src/redis/wire/client.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { startUnableToSave } from "../../support/unable_to_save.ts";

const ignore = !RedisServer.controllable;

Deno.test({
  name: "WireClient reads from a server that cannot save, whose PING is refused",
  ignore,
  async fn(t) {
    await using server = await startUnableToSave();
    const client = new WireClient({ hostname: "127.0.0.1", port: server.port });
    try {
      await t.step("it connects", async () => {
        await client.start();
        assertEquals(client.connected, true);
      });
      await t.step("writes that are out beside each other are answered", async () => {
        const read = [{ name: "GET", args: ["greeting"], text: true }];
        const replies = await Promise.all(Array.from({ length: 5 }, () => client.pipeline(read)));
        assertEquals(replies, Array(5).fill(["hello"]));
        assertEquals(client.generation, 1);
      });
      await t.step("what it refuses is told", async () => {
        const [reply] = await client.pipeline([{ name: "SET", args: ["greeting", "bye"] }]);
        assertInstanceOf(reply, RedisError);
        assertEquals(reply.code, "MISCONF");
      });
    } finally {
      await client.close();
    }
  },
});

Deno.test({
  name: "connect() reaches a server that cannot save: reads work, writes say why they do not",
  ignore,
  async fn() {
    await using server = await startUnableToSave();
    await using redis = await connect({ url: server.url, on: () => {} });
    const read = await Promise.all(Array.from({ length: 5 }, () => redis.client.sendCommand("GET", ["greeting"])));
    assertEquals(read, Array(5).fill("hello"));
    const error = await assertRejects(() => redis.sessions.create("ada", {}), UnavailableError);
    assertEquals([error.reason, (error.cause as RedisError).code], ["refused", "MISCONF"]);
    await using messages = redis.pubsub.channel<string>("news").subscribe();
    await messages.ready;
    await redis.pubsub.channel<string>("news").publish("hello");
    assertEquals((await messages.next()).value?.value, "hello");
  },
});
