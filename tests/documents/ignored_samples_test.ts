import { assert, assertEquals } from "@std/assert";
import { serves } from "../../tools/fences.ts";
import { REDIS_CLIENT, ROOT, runDeno } from "../examples/child.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { RedisServer } from "../support/redis_server.ts";
import { allFences, folderForSamples } from "./samples.ts";

/** What runs nowhere but at a provider, and middleware of three frameworks in one piece of code. */
const NOT_HERE = /upstash\.io|src\/hooks\.server\.ts/;
/** What the stand-in for `@db/redis` has not. */
const OFFLINE = /@db\/redis|larder\/db-redis/;
const offline = REDIS_CLIENT.length > 0;

/** How each ended, by its place in a document. */
const placed = (ends: readonly string[], places: readonly string[]) =>
  ends.map((end, i) => `${places[i]}: ${end.replace(/^\S+ /, "")}`);

Deno.test({
  name: "What doc tests leave out since it wants a Redis runs on one",
  ignore: !RedisServer.controllable,
  fn: async () => {
    const fences = (await allFences()).filter((fence) =>
      /^ts ignore/.test(fence.info) && !serves(fence) && !NOT_HERE.test(fence.code) &&
      !(offline && OFFLINE.test(fence.code))
    );
    await using server = await RedisServer.start();
    await using cluster = await RedisCluster.start(3);
    await server.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all");
    const samples = fences.map(({ code }) => {
      const { port } = /Cluster/.test(code) ? cluster.nodes[0]! : server;
      return code
        .replace(/rediss:/g, "redis:")
        .replace(/@redis:|\/\/redis:/g, (host) => host.replace("redis", "127.0.0.1"))
        .replace(/\b10\.0\.0\.1\b/g, "127.0.0.1")
        .replace(/\b6379\b/g, String(port))
        .replace(/"(?:jsr|npm):/g, '"');
    });
    const folder = await folderForSamples(samples);
    try {
      const files = samples.map((_, i) => `file://${folder}/${i}.ts`);
      const options = ["run", "--no-prompt", "--no-check", `--config=${ROOT}deno.json`, "--allow-all"];
      const { output, errors } = await runDeno(
        [
          ...new Set([...options, ...REDIS_CLIENT.filter((flag) => !flag.startsWith("--allow"))]),
          `${ROOT}tests/documents/run_samples.ts`,
          ...files,
        ],
        { cwd: folder, env: { REDIS_URL: server.url } },
      );
      const ran = files.map((file) => output.split("\n").find((line) => line.startsWith(`${file} `)) ?? "not reached");
      const wanted = files.map((file) => `${file} ran`);
      const places = fences.map(({ file, line }) => `${file}:${line}`);
      assert(files.length > 8);
      assertEquals(placed(ran, places), placed(wanted, places), `${output}\n${errors}`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
