import { assertEquals, assertStringIncludes } from "@std/assert";
import { RedisServer } from "../support/redis_server.ts";
import { type Ended, REDIS_CLIENT, runDeno } from "./child.ts";

// The rows of the permissions table of the README.

/** An application that uses most of the cache, with the options of `connect()` that it is given. */
const app = (options: unknown = {}) => `
  import { connect } from "@larder/larder";
  await using redis = await connect(${JSON.stringify(options)});
  await redis.ready({ timeout: "5s" });
  const { cache } = redis;
  await cache.set("permissions:a", { text: "x".repeat(3000) }, { tags: ["t"] });
  await cache.getOrSet("permissions:b", () => new Map());
  await cache.invalidateByTag("t");
  await cache.invalidateByPattern("permissions:*");
  console.log(redis.store, cache.stats().errors);
`;

function run(input: string, flags: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return runDeno(["run", "--no-prompt", ...flags, "-"], { input, env });
}

function assertPrinted(ended: Ended, output: string): void {
  assertEquals({ code: ended.code, output: ended.output }, { code: 0, output }, ended.errors);
}

const net = (server: RedisServer) => `--allow-net=${server.hostname}:${server.port}`;

Deno.test("Permissions: the embedded store needs none, all its features included", async () => {
  const cache = { compress: { threshold: 1 }, local: true };
  assertPrinted(await run(app({ url: "memory:", cache }), []), "memory 0\n");
});

Deno.test("Permissions: Redis named in the code needs its address", async (t) => {
  await using server = await RedisServer.start();
  const options = { url: server.url, cache: { local: true } };

  await t.step("with it", async () => {
    assertPrinted(await run(app(options), [...REDIS_CLIENT, net(server)]), "redis 0\n");
  });

  await t.step({
    name: "without it, connect() says so",
    // The stand-in uses node:net, which on Deno 2.1 takes it for a refused connection.
    ignore: REDIS_CLIENT.length > 0 && Deno.version.deno.startsWith("2.1."),
    async fn() {
      const { code, errors } = await run(app(options), REDIS_CLIENT);
      assertEquals(code, 1);
      assertStringIncludes(errors, `ConfigError: Cannot use the Redis server: wanted ${net(server)}`);
    },
  });
});

Deno.test("Permissions: variables need theirs, and count as not set without", async (t) => {
  await using server = await RedisServer.start();
  const env = { REDIS_URL: server.url };

  await t.step("with it", async () => {
    const variable = REDIS_CLIENT.includes("--allow-env") ? [] : ["--allow-env=REDIS_URL"];
    const flags = [...REDIS_CLIENT, net(server), ...variable];
    assertPrinted(await run(app(), flags, env), "redis 0\n");
  });

  await t.step("without it", async () => {
    const ended = await run(app(), [net(server)], env);
    assertPrinted(ended, "memory 0\n");
    assertStringIncludes(ended.errors, "--allow-env");
  });
});

Deno.test({
  name: "Permissions: a password file needs to be readable",
  ignore: !RedisServer.controllable,
  async fn(t) {
    await using server = await RedisServer.start({ config: { requirepass: "sesame" } });
    const passwordFile = await Deno.makeTempFile();
    await Deno.writeTextFile(passwordFile, "sesame\n");
    const options = { url: `redis://${server.hostname}:${server.port}`, passwordFile };

    await t.step("with it", async () => {
      const flags = [...REDIS_CLIENT, net(server), `--allow-read=${passwordFile}`];
      assertPrinted(await run(app(options), flags), "redis 0\n");
    });

    await t.step("without it, connect() says so", async () => {
      const { code, errors } = await run(app(options), [...REDIS_CLIENT, net(server)]);
      assertEquals(code, 1);
      assertStringIncludes(errors, "without --allow-read for it");
    });

    await Deno.remove(passwordFile);
  },
});
