import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runDeno } from "../examples/child.ts";
import { EFFORT } from "../support/effort.ts";
import { APP_RIGHTS } from "../support/app_rights.ts";
import { RedisServer } from "../support/redis_server.ts";

/** Where the integration suites are: those of all services, on a Redis of their own. */
const ROOMS = [
  ...["cache", "cache/contract", "cache/faults", "cache/local", "cache/oracle", "cache/redis"],
  ...["http", "images", "observe", "rate_limit", "redis/contract", "sessions", "web"],
];

/** Those that send Redis commands of their own, which no app needs: what is refused them says nothing about Larder. */
const WITH_OWN_COMMANDS = [
  "tests/redis/contract/ioredis_client_test.ts", // the suite of clients
  "tests/redis/contract/node_redis_client_test.ts",
  "tests/cache/redis/entries_test.ts", // damages entries
  "tests/cache/faults/reconnect_test.ts", // kills connections
  "tests/http/metrics_test.ts", // wants an error
  "tests/connect/connect_test.ts", // sends raw commands, and chooses databases
  "tests/cache/local/processes_test.ts", // counts every command, AUTH among them
  "tests/sessions/outage_test.ts", // makes a replica
  "tests/sessions/secrecy_test.ts", // looks at everything that there is
];

/** Those that do what others do as well, for longer, or with an eye on the clock. */
const LONG = [
  "tests/cache/inspect_test.ts",
  "tests/cache/faults/big_calls_test.ts",
  "tests/cache/faults/busy_test.ts",
  "tests/cache/faults/far_test.ts",
  "tests/cache/faults/hung_test.ts",
  "tests/cache/faults/outage_test.ts",
  "tests/cache/faults/replay_test.ts",
  "tests/cache/faults/restart_test.ts",
  "tests/http/cache_response_test.ts",
  "tests/cache/oracle/local_oracle_test.ts",
  "tests/cache/oracle/oracle_test.ts",
  "tests/cache/stampede_test.ts",
  "tests/rate_limit/clock_test.ts",
  "tests/rate_limit/deadline_test.ts",
  "tests/rate_limit/deny_cache_test.ts",
  "tests/rate_limit/faults_test.ts",
  "tests/rate_limit/guard_test.ts",
  "tests/rate_limit/headers_test.ts",
  "tests/rate_limit/known_bugs_test.ts",
  "tests/rate_limit/memory_usage_test.ts",
  "tests/rate_limit/processes_test.ts",
  "tests/rate_limit/property_test.ts",
  "tests/rate_limit/served_headers_test.ts",
  "tests/sessions/expiry_test.ts",
];

/**
 * What each service does, once: these always run with the rights of the app. With `TEST_EFFORT=10` all suites do, in a
 * process of their own.
 */
const CORE = [
  "tests/cache/contract/cache_redis_test.ts",
  "tests/cache/fake_clock_test.ts",
  "tests/cache/local/first_test.ts",
  "tests/cache/many_test.ts",
  "tests/cache/namespace_test.ts",
  "tests/cache/writes_test.ts",
  "tests/http/health_test.ts",
  "tests/images/redis_test.ts",
  "tests/observe/telemetry_test.ts",
  "tests/rate_limit/contract_test.ts",
  "tests/sessions/contract_test.ts",
];

/** All suites that use Redis, without those above. */
async function suites(): Promise<string[]> {
  const found: string[] = [];
  for (const room of ROOMS) {
    for await (const { name } of Deno.readDir(new URL(`../${room}/`, import.meta.url))) {
      const path = `tests/${room}/${name}`;
      if (!name.endsWith("_test.ts") || WITH_OWN_COMMANDS.includes(path) || LONG.includes(path)) continue;
      const text = await Deno.readTextFile(new URL(`../${room}/${name}`, import.meta.url));
      if (/RedisServer|startContractServer|stores\.ts/.test(text)) found.push(path);
    }
  }
  return found.sort();
}

async function runSuites(files: string[], rights: string): Promise<{ code: number; text: string }> {
  const standIns = import.meta.resolve("@db/redis").includes("/tests/offline/");
  const importMap = standIns ? ["--import-map=tests/offline/import_map.json"] : [];
  const { code, output, errors } = await runDeno(
    ["test", "--no-check", "--no-prompt", "--allow-all", "--parallel", ...importMap, ...files],
    { env: { LARDER_TEST_REDIS_RIGHTS: rights, NO_COLOR: "1" } },
  );
  return { code, text: output + errors };
}

Deno.test("Suites of all services run with the rights of the app", async () => {
  const files = await suites();
  for (const path of CORE) {
    assert(files.includes(path), path);
    const text = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    assert(!text.includes("RedisServer.start()") && /APP_RIGHTS|startContractServer|onBothStores/.test(text), path);
  }
});

if (EFFORT >= 10) {
  Deno.test({
    name: "All integration suites pass with the rights of the app, and nothing is refused",
    ignore: !RedisServer.controllable,
    async fn() {
      const files = await suites();
      const { code, text } = await runSuites(files, APP_RIGHTS);
      assertEquals(code, 0, text.slice(-5000));
      assert(Number(/^ok \| (\d+) passed/m.exec(text)?.[1]) >= files.length, text.slice(-500));
    },
  });
}

Deno.test("The suites that are left out are there", async () => {
  for (const path of [...WITH_OWN_COMMANDS, ...LONG]) await Deno.stat(new URL(`../../${path}`, import.meta.url));
});

Deno.test({
  name: "The integration suites fail where a right is missing",
  ignore: !RedisServer.controllable,
  async fn() {
    const missing = APP_RIGHTS.replace(" +rename", "");
    const { code, text } = await runSuites(
      ["tests/sessions/contract_test.ts", "--filter=/^Sessions on Redis$/"],
      missing,
    );
    assertEquals(code, 1);
    assertStringIncludes(text, "The ACL refused what was tried: command rename");
  },
});
