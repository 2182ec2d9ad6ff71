import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { connect, type LarderEvent } from "../../mod.ts";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import { rateLimit as honoLimits } from "../../src/http/hono.ts";
import { rateLimit as oakLimits } from "../../src/http/oak.ts";
import { imageNameOf } from "../../src/images/mod.ts";
import { MemoryLimitStore, RateLimiter } from "../../src/rate_limit/mod.ts";
import { MemorySessionStore, Sessions } from "../../src/sessions/mod.ts";

Deno.test("Services that are made without a store say what opens one", async () => {
  const wrong = [undefined, null, {}, "redis://127.0.0.1", { sendCommand() {} }];
  for (const store of wrong) {
    for (
      const [make, example] of [
        [() => new Cache(store as never), "new MemoryStore()"],
        [() => new Sessions(store as never), "new MemorySessionStore()"],
        [() => new RateLimiter(store as never), "new MemoryLimitStore()"],
      ] as const
    ) {
      const { message } = assertThrows(make, TypeError);
      assertStringIncludes(message, `wanted a store such as ${example} (connect() opens it`);
    }
  }
  await new Cache(new MemoryStore())[Symbol.asyncDispose]();
  await new Sessions(new MemorySessionStore())[Symbol.asyncDispose]();
  await new RateLimiter(new MemoryLimitStore())[Symbol.asyncDispose]();
});

Deno.test("Middleware with rate limits says at the start that it was not given what connect() gave", () => {
  for (const rateLimit of [honoLimits, oakLimits]) {
    for (const wrong of [undefined, {}, Promise.resolve()]) {
      const { message } = assertThrows(() => rateLimit(wrong as never, {}), TypeError);
      assertStringIncludes(message, "Cannot make a middleware with rate limits: wanted what connect() gave, got");
    }
  }
});

Deno.test("imageNameOf() takes whatever has a URL, and says what it wants", () => {
  assertEquals(imageNameOf({ url: "http://localhost/i/a.png" } as Request, "/i/"), "a.png");
  for (const wrong of [undefined, null, "/i/a.png", {}]) {
    const { message } = assertThrows(() => imageNameOf(wrong as never, "/i/"), TypeError);
    assertStringIncludes(message, "wanted a request or its whole URL, got");
  }
});

Deno.test("connect() tells of a folder of images that is not there", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/file`, "");
  const told = async (root: string | URL): Promise<string[]> => {
    const events: LarderEvent[] = [];
    const redis = await connect({ url: "memory:", images: { root }, on: (event) => events.push(event) });
    await redis.close();
    return events.filter(({ type }) => type === "warning").map((event) => (event as { message: string }).message);
  };
  assertEquals(await told(folder), []);
  assertEquals(await told(new URL(`file://${folder}/`)), []);
  const cases: [string | URL, string][] = [
    [`${folder}/none`, "is not there, so no image is found until it is"],
    [new URL(`file://${folder}/none`), "is not there"],
    [`${folder}/file`, "is no folder"],
    ["~/pictures", '"~" is for shells'],
    [`file://${folder}`, "new URL(…) makes a URL of it"],
  ];
  for (const [root, wanted] of cases) {
    const [message, ...more] = await told(root);
    assertStringIncludes(message!, wanted);
    assertEquals(more, []);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("Arguments in another order, or none, are told by what they are", async () => {
  await using redis = await connect({ url: "memory:" });
  const { cache, sessions, rateLimit } = redis;
  const wrong: [() => unknown, string][] = [
    [
      () => cache.getOrSet("a", { ttl: 5 } as never, (() => 1) as never),
      "wanted an object with options behind the loader, got a function",
    ],
    [
      () => cache.getOrSet("a", 300 as never, (() => 1) as never),
      "wanted an object with options behind the loader, got a function",
    ],
    [
      () => rateLimit.check("AUTH", undefined as never),
      "Cannot check rate limit: wanted a string as the id, got undefined",
    ],
    [() => sessions.cookie.write(new Headers(), undefined as never), "wanted a session, got undefined"],
    [
      () => sessions.cookie.write(undefined as never, undefined as never),
      "wanted the headers of a response, got undefined",
    ],
  ];
  for (const [call, wanted] of wrong) {
    const error = await Promise.resolve().then(call).then(() => undefined, (error: unknown) => error);
    assertEquals(error instanceof TypeError, true);
    assertStringIncludes(String(error), wanted);
  }
});
