import { assertEquals, assertStringIncludes } from "@std/assert";
import { findProgram, type Program, testWith } from "../support/program.ts";
import { RedisServer } from "../support/redis_server.ts";
import { NpmProject } from "./npm_package.ts";

const SCRIPTS = ["embedded.mjs", "frameworks.mjs", "nest.mjs", "redis.mjs", "who_asks.mjs"];
const RUNTIMES: readonly [program: Program, name: string, version: RegExp][] = [
  ["node22", "Node.js 22", /^v22\./],
  ["bun", "Bun", /^1\./],
];

// Types are taken out by Node, for Bun too: what both run are the same files.
const node = await findProgram("node22");

for (const [program, name, version] of RUNTIMES) {
  Deno.test(
    await testWith(program, `${name} runs Larder as npm has it`, async (runtime, t) => {
      await using project = await NpmProject.create(node!, SCRIPTS);
      const run = async (...args: string[]) => assertEquals((await project.run(runtime, ...args)).trim(), "done");
      await t.step("It is the version that is meant", async () => {
        const text = await project.run(runtime, "--version");
        assertEquals(version.test(text), true, text);
      });
      await t.step("the embedded store", async () => await run("embedded.mjs"));
      await t.step("who asks", async () => await run("who_asks.mjs"));
      if (program === "node22") {
        await t.step("services in frameworks", async () => await run("frameworks.mjs"));
        await t.step("the example for NestJS", async () => await run("nest.mjs"));
      }
      await using server = await RedisServer.start();
      for (const client of ["url", "ioredis", "node-redis"]) {
        await t.step(
          client === "url" ? "Redis by its URL" : `Redis through ${client}`,
          async () => await run("redis.mjs", client, server.url),
        );
      }
      await t.step("Rules with a path name what is missing without connect()", async () => {
        const code = `import { MemoryLimitStore, RateLimiter } from "@larder/larder/rate-limit";
          const limiter = new RateLimiter(new MemoryLimitStore());
          limiter.guard({ "*": "API" }, () => new Response());
          try {
            limiter.guard({ "/a": "API" }, () => new Response());
            console.log(typeof URLPattern);
          } catch (error) {
            console.log(error.message);
          }`;
        await Deno.writeTextFile(`${project.folder}rules.mjs`, code);
        const told = (await project.run(runtime, "rules.mjs")).trim();
        assertEquals(/^function$|^Cannot guard: wanted URLPattern, which connect\(\) loads/.test(told), true, told);
      });
      await t.step("A Redis by its URL that is not there is told, and calls end", async () => {
        const code = `import { connect } from "@larder/larder";
          const redis = await connect({ url: "redis://127.0.0.1:1", on: (event) => console.log(String(event.error)) });
          console.log(await redis.cache.get("a"), await redis.cache.getOrSet("a", () => 7));
          await redis.close();`;
        await Deno.writeTextFile(`${project.folder}by_url.mjs`, code);
        const told = await project.run(runtime, "by_url.mjs");
        assertStringIncludes(told, "undefined 7");
        assertEquals(/ECONNREFUSED|refused|connect/i.test(told), true, told);
      });
    }, { ignore: node === undefined }),
  );
}
