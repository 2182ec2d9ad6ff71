import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test({
  name: "Locks are handed on where nobody can subscribe, in one process and between several",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start();
    await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-subscribe");
    const open = () =>
      connect({ url: server.url, username: "app", password: "secret", commandTimeout: "1s", on: () => {} });
    await using one = await open();
    await using two = await open();
    let [running, most, done] = [0, 0, 0];
    // With the ttl of 10 s, who looks only when the time of a holder is over comes too late.
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        [one, two][i % 2]!.locks.withLock("job", { wait: "30s" }, async () => {
          most = Math.max(most, ++running);
          await Promise.resolve();
          running--;
          done++;
        })),
    );
    assertEquals([most, done], [1, 20]);
  },
});
