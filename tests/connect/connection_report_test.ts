import { assertEquals } from "@std/assert";
import { connectionReport } from "../../src/connect/connection_report.ts";

/** A report on a clock of its own, and what it has said since it was last asked, without what all lines have. */
function reporter() {
  const lines: string[] = [];
  let ms = 0;
  const report = connectionReport((line) => lines.push(line), () => ms);
  const about = { server: "all", address: "redis:6379", client: "redis" } as const;
  return {
    pass: (seconds: number) => void (ms += seconds * 1000),
    lose: () => report({ type: "redis.disconnected", ...about, reason: new Error("no answer within the deadline") }),
    fail: (text: string) => report({ type: "redis.disconnected", ...about, error: new Error(text) }),
    back: () => report({ type: "redis.connected", ...about }),
    told: () =>
      lines.splice(0).map((line) => /^Larder: Redis at redis:6379 (was lost|is back|cannot|comes)/.exec(line)?.[1]),
  };
}

Deno.test("A server that comes and goes is told as such once, and not each time", () => {
  const { pass, lose, fail, back, told } = reporter();
  for (let i = 0; i < 50; i++) {
    lose();
    pass(0.5);
    back();
    pass(0.1);
  }
  assertEquals(told(), ["was lost", "is back", "was lost", "is back", "comes"]);
  pass(61);
  lose();
  back();
  assertEquals(told(), ["was lost", "is back"], "it had been there for a minute");
  for (let i = 0; i < 5; i++) {
    lose();
    back();
  }
  told();
  lose();
  fail("Connection refused");
  assertEquals(told(), []);
  pass(61);
  fail("Connection refused");
  fail("Connection refused");
  assertEquals(told(), ["cannot"], "it has stayed away for a minute");
  back();
  assertEquals(told(), ["is back"]);
});

Deno.test("What somebody has to mend is told of a server that comes and goes, too", () => {
  const { lose, fail, back, told } = reporter();
  for (let i = 0; i < 5; i++) {
    lose();
    back();
  }
  told();
  lose();
  fail("WRONGPASS invalid username-password pair");
  assertEquals(told(), ["cannot"]);
  back();
  assertEquals(told(), ["is back"]);
});
