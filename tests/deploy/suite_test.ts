import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { REDIS_CLIENT, runDeno } from "../examples/child.ts";
import { RedisServer } from "../support/redis_server.ts";
import { renderAcl } from "./deployed_redis.ts";

/**
 * The suites that only use Redis through Larder. Others look into it with commands of their own, which no app needs: those of the
 * clients, those of damaged entries, and the like.
 */
const SUITES = [
  "tests/contract/cache_redis_test.ts",
  "tests/contract/redis_defects_test.ts",
  "tests/faults/replay_test.ts",
  "tests/integration/local_races_test.ts",
  "tests/integration/waiting_test.ts",
  "tests/rate_limit/agreement_test.ts",
  "tests/rate_limit/contract_test.ts",
  "tests/rate_limit/processes_test.ts",
  "tests/sessions/contract_test.ts",
  "tests/sessions/races_test.ts",
];

/** The rights of the app, in any namespace, since tests have their own. */
async function rights(): Promise<string> {
  const app = (await renderAcl()).split("\n").find((line) => line.startsWith("user app "))!;
  return `resetkeys ~{*}:* resetchannels &*:bell* ${app.slice(app.indexOf("-@all"))}`;
}

async function runSuites(files: string[], rights: string): Promise<{ code: number; text: string }> {
  const importMap = REDIS_CLIENT.filter((argument) => argument.startsWith("--import-map"));
  const { code, output, errors } = await runDeno(
    ["test", "--no-check", "--no-prompt", "--allow-all", "--parallel", ...importMap, ...files],
    { env: { LARDER_TEST_REDIS_RIGHTS: rights, NO_COLOR: "1" } },
  );
  return { code, text: output + errors };
}

Deno.test({
  name: "The integration suites pass with the rights of the app, and nothing is refused",
  ignore: !RedisServer.controllable,
  async fn() {
    const { code, text } = await runSuites(SUITES, await rights());
    assertEquals(code, 0, text.slice(-5000));
    assert(Number(/^ok \| (\d+) passed/m.exec(text)?.[1]) >= SUITES.length, text.slice(-500));
  },
});

Deno.test({
  name: "The integration suites fail where a right is missing",
  ignore: !RedisServer.controllable,
  async fn() {
    const missing = (await rights()).replace(" +rename", "");
    const { code, text } = await runSuites(["tests/sessions/contract_test.ts"], missing);
    assertEquals(code, 1);
    assertStringIncludes(text, "The ACL refused what was tried: command rename");
  },
});
