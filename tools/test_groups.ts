import { TEST_FILE } from "./test_output.ts";

/** Files that take longest, those first: others have their turn while they wait. */
export const LONGEST: readonly string[] = [
  "tests/redis/far_away_test.ts",
  "tests/browser/sessions_test.ts",
  "tests/cache/faults/big_calls_test.ts",
  "tests/cache/faults/far_test.ts",
  "tests/redis/cluster/failures_test.ts",
  "tests/browser/login_test.ts",
  "tests/http/shared_load_test.ts",
  "tests/browser/live_test.ts",
  "tests/cache/faults/large_reads_test.ts",
  "tests/locks/known_bugs_test.ts",
  "tests/cache/oracle/ends_test.ts",
  "tests/http/session_middleware_test.ts",
  "tests/cache/oracle/local_oracle_test.ts",
  "tests/pubsub/pattern_test.ts",
  "tests/documents/serving_test.ts",
  "tests/redis/sentinel/failover_test.ts",
  "tests/types/check_test.ts",
  "tests/redis/contract/hanging_connections_test.ts",
  "tests/locks/failover_test.ts",
  "tests/locks/contract_test.ts",
  "tests/http/waiting_visitor_test.ts",
  "tests/rate_limit/faults_test.ts",
  "tests/sessions/contract_test.ts",
  "tests/rate_limit/deadline_test.ts",
  "tests/rate_limit/address_test.ts",
  "tests/cache/redis/long_values_test.ts",
  "tests/cache/oracle/oracle_test.ts",
  "tests/cache/call_order_test.ts",
  "tests/cache/stampede_test.ts",
];
/** Files that load the library in a world of their own, so that it must not be there before. */
export const APART: readonly string[] = ["tests/connect/idle_traffic_test.ts"];
/** How many of the others make a module. */
const TOGETHER = 12;

/**
 * Makes modules of many test files each, so that what they import, which takes half a second of a processor, is loaded
 * once for all of them. `deno test` runs modules in the order of their names, some at a time.
 *
 * @param root The folder of the project, with a slash at the end.
 * @param folder Where to, in it.
 * @param paths Files and folders, relative to the root.
 * @returns The modules, and all paths that are no folders with tests.
 */
export async function writeTestGroups(root: string, folder: string, paths: readonly string[]): Promise<string[]> {
  const rest: string[] = [];
  const files: string[] = [];
  for (const path of paths) {
    const found = await testsIn(root, path.replace(/^\.\//, "").replace(/\/+$/, ""));
    if (found.length > 0) files.push(...found);
    else rest.push(path);
  }
  const groups = groupsOf(files.sort());
  if (groups.length > 0) await Deno.mkdir(`${root}${folder}`, { recursive: true });
  const modules = groups.map(async (group, i) => {
    const name = group[0]!.split("/").slice(1, -1).join("_");
    const module = `${folder}/${String(i).padStart(3, "0")}_${name}_test.ts`;
    const up = "../".repeat(folder.split("/").length);
    await Deno.writeTextFile(`${root}${module}`, group.map((file) => `import "${up}${file}";\n`).join(""));
    return module;
  });
  return [...rest, ...await Promise.all(modules)];
}

/** The longest by themselves, in their order, then those that must be apart, then the others together. */
export function groupsOf(files: readonly string[]): string[][] {
  const single = [...LONGEST, ...APART];
  const groups = single.filter((file) => files.includes(file)).map((file) => [file]);
  const others = files.filter((file) => !single.includes(file));
  for (let i = 0; i < others.length; i += TOGETHER) groups.push(others.slice(i, i + TOGETHER));
  return groups;
}

/** The test files in a folder of tests; none of what is no such folder. */
async function testsIn(root: string, path: string): Promise<string[]> {
  if (!/^tests(?:\/|$)/.test(path) || !(await Deno.stat(`${root}${path}`)).isDirectory) return [];
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${root}${path}`)) {
    if (isDirectory) files.push(...await testsIn(root, `${path}/${name}`));
    else if (TEST_FILE.test(name)) files.push(`${path}/${name}`);
  }
  return files;
}
