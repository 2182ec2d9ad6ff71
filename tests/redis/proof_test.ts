import { assertEquals } from "@std/assert";
import { Proof } from "../../src/redis/proof.ts";
import { until } from "../support/until.ts";

Deno.test("Proof gives a connection up that is silent, and none on which something else arrives", async () => {
  let [sent, givenUp, busy] = [0, 0, true];
  const proof: Proof = new Proof(
    () => {
      sent++;
      if (busy && sent > 1) proof.alive(); // it waits behind what else is on its way
      return Promise.resolve();
    },
    () => void givenUp++,
    20,
  );
  await until(() => sent > 0, "the first goes out");
  proof.seen(1);
  await until(() => sent > 20, "more go out");
  assertEquals(givenUp, 0);
  busy = false;
  await until(() => givenUp > 0, "a silent one is given up");
  proof.stop();
});
