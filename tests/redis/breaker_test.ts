import { assertEquals } from "@std/assert";
import { Breaker, type BreakerState } from "../../src/redis/breaker.ts";

function start(): { breaker: Breaker; clock: { now: number }; told: BreakerState[] } {
  const clock = { now: 50 };
  const told: BreakerState[] = [];
  const breaker = new Breaker({
    threshold: 2,
    retryAfter: 100,
    now: () => clock.now,
    onChange: (state) => told.push(state),
  });
  return { breaker, clock, told };
}

Deno.test("Breaker opens after failures in a row, and only in a row", () => {
  const { breaker, told } = start();
  for (let i = 0; i < 5; i++) {
    breaker.fail();
    breaker.succeed();
  }
  assertEquals([breaker.state, breaker.allows(), told], ["closed", true, []]);
  breaker.fail();
  breaker.fail();
  assertEquals([breaker.state, breaker.allows(), told], ["open", false, ["open"]]);
});

Deno.test("Breaker lets attempts through when the time has come, and closes at the first success", () => {
  const { breaker, clock, told } = start();
  breaker.trip();
  clock.now += 99;
  assertEquals(breaker.allows(), false);
  clock.now += 1;
  assertEquals([breaker.allows(), breaker.state], [true, "half-open"]);
  breaker.succeed();
  assertEquals([breaker.state, told], ["closed", ["open", "half-open", "closed"]]);
  breaker.fail();
  assertEquals(breaker.state, "closed"); // what failed before it opened does not count any more
});

Deno.test("Breaker opens again at the first failure of an attempt, for as long as before", () => {
  const { breaker, clock } = start();
  breaker.trip();
  clock.now += 100;
  breaker.allows();
  breaker.fail();
  clock.now += 99;
  assertEquals([breaker.state, breaker.allows()], ["open", false]);
  clock.now += 1;
  assertEquals(breaker.allows(), true);
});

Deno.test("Breaker.trip() while open starts the wait anew and is told once", () => {
  const { breaker, clock, told } = start();
  breaker.trip();
  clock.now += 90;
  breaker.trip();
  clock.now += 90;
  assertEquals([breaker.allows(), told], [false, ["open"]]);
});

Deno.test("Breaker.probe() ends the wait, and changes nothing unless it is open", () => {
  const { breaker, told } = start();
  breaker.probe();
  assertEquals([breaker.state, told], ["closed", []]);
  breaker.trip();
  breaker.probe();
  breaker.probe();
  assertEquals([breaker.allows(), breaker.state, told], [true, "half-open", ["open", "half-open"]]);
});

Deno.test("Breaker waits a second after three failures unless told otherwise", () => {
  let now = 0;
  const breaker = new Breaker({ now: () => now });
  breaker.fail();
  breaker.fail();
  assertEquals(breaker.state, "closed");
  breaker.fail();
  now = 999;
  assertEquals([breaker.state, breaker.allows()], ["open", false]);
  now = 1000;
  assertEquals(breaker.allows(), true);
});
