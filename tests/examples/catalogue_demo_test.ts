import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RedisServer } from "../support/redis_server.ts";
import { type Ended, runDeno, taskArguments } from "./child.ts";

const STEPS = [
  "Without a cache",
  "A cold miss asks the origin",
  "1,000 callers",
  "Stale while revalidating",
  "Invalidation by key",
  "Invalidation by tag",
  "Invalidation by pattern",
  "Stale if error",
  "Image metadata",
  "Sessions",
  "Rate limits",
];

function assertHeld({ code, output, errors }: Ended): void {
  assertEquals(code, 0, output + errors);
  const claims = output.match(/✓/g)?.length ?? 0;
  assertEquals(output.includes("✗"), false, output);
  assertStringIncludes(output, `All ${claims} claims held`);
  for (const step of STEPS) assertStringIncludes(output, step);
  // What the origin counted, as the table shows it.
  assertMatch(output, /the origin itself +5 .* 5\n/);
  assertMatch(output, /cold miss +9 .* 9\n/);
  assertMatch(output, /cold miss, 1,000 at once +1,000 .* 1\n/);
  assertMatch(output, /hit, 64 callers at a time +6,400 .* 0\n/);
  assertMatch(output, /stale, being refreshed +10 .* 1\n/);
  assertMatch(output, /after an invalidation +16 .* 16\n/);
  assertMatch(output, /stale, the origin fails +110 .* 1\n/);
  assertMatch(output, /hit ratio \d\d\.\d %/);
  assertMatch(output, /the origin answered 503/);
  assertEquals(output.includes("\x1b"), false, "colours where nobody sees them");
}

Deno.test("task demo holds on the embedded store", async () => {
  const ended = await runDeno(await taskArguments("demo"));
  assertHeld(ended);
  assertStringIncludes(ended.output, "Larder on its embedded store · 60 products in 8 categories");
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  assertStringIncludes(readme, `${ended.output.match(/✓/g)?.length} claims`);
});

Deno.test("task demo holds on Redis and leaves no entries there", async () => {
  await using server = await RedisServer.start();
  const ended = await runDeno(await taskArguments("demo"), { env: { REDIS_URL: server.url } });
  assertHeld(ended);
  assertStringIncludes(ended.output, "Larder on Redis");
  assertEquals(await server.cli("EXISTS", "{larder-demo}:ledger"), 1, "the demo went elsewhere");
  assertEquals(await server.cli("KEYS", "{larder-demo}:c:*"), []);
});

Deno.test("task demo ends with 1 and a reason when Redis does not answer", async () => {
  const { code, output, errors } = await runDeno(await taskArguments("demo"), {
    env: { REDIS_URL: "redis://127.0.0.1:1" },
  });
  assertEquals(code, 1);
  assertStringIncludes(errors, "UnavailableError: Cannot wait for Redis");
  assert(/Redis: .*refused/i.test(output), output);
});
