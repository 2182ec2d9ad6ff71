import { assertEquals, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { MemoryLimitStore, RateLimiter } from "../../src/rate_limit/mod.ts";
import { compilePath } from "../../src/rate_limit/path_pattern.ts";

const hello = () => new Response("hello");
const never = (): Promise<never> => new Promise(() => {});
const INFO = { remoteAddr: { hostname: "203.0.113.9" } };

Deno.test("RateLimiter.guard() counts by address when a callback says nothing for ever", async (t) => {
  for (const what of ["by", "user", "cost", "skip", "respond"] as const) {
    await t.step(what, async () => {
      const warnings: string[] = [];
      const limiter = new RateLimiter<"ONE">(new MemoryLimitStore(), {}, (event) => {
        if (event.type === "warning") warnings.push(event.message);
      });
      limiter.define("ONE", { limit: 1, window: "1h" });
      const rule = { limits: "ONE", by: what === "user" ? "user" : "ip", ...(what !== "user" && { [what]: never }) };
      if (what === "respond") delete (rule as Record<string, unknown>).respond;
      const serve = limiter.guard(
        { "*": rule as never },
        hello,
        { ...(what === "user" && { user: never }), ...(what === "respond" && { respond: never }) },
      );
      using time = new FakeTime();
      const ask = async () => {
        const response = serve(new Request("http://localhost/"), INFO);
        for (let i = 0; i < 20; i++) await time.tickAsync(500);
        return (await response).status;
      };
      assertEquals(await ask(), 200);
      assertEquals(await ask(), 429);
      assertEquals((await limiter.peek("ONE", "203.0.113.9")).remaining, 0);
      assertEquals(warnings.length, 1);
      assertEquals(warnings[0]!.includes(`"${what}"`), true, warnings[0]!);
    });
  }
});

Deno.test("RateLimiter.guard() refuses a rule whose method is misspelt, and takes methods of one's own", () => {
  const limiter = new RateLimiter(new MemoryLimitStore());
  for (const text of ["PSOT /login", "POTS /login", "GET|PUTT /files", "FOO *"]) {
    assertThrows(() => limiter.guard({ [text]: "AUTH" }, hello), TypeError, "a method that there is");
  }
  const error = assertThrows(() => limiter.guard({ "PSOT /login": "AUTH" }, hello), TypeError);
  assertEquals(error.message.includes('"POST"'), true, error.message);
  limiter.guard({ "post /a": "AUTH", "PROPFIND|M-SEARCH /b": "AUTH", "QUERY /c": "AUTH" }, hello);
  limiter.guard({ "REFRESH /login": "AUTH" }, hello, { methods: ["refresh"] });
  for (const methods of ["REFRESH", ["A B"], [1], [""]]) {
    assertThrows(() => limiter.guard({ "*": "AUTH" }, hello, { methods: methods as never }), TypeError, '"methods"');
  }
});

Deno.test("RateLimiter.guard() refuses rules that a path could keep busy for ever", () => {
  const limiter = new RateLimiter(new MemoryLimitStore());
  for (
    const text of ["/:a((?:x+)+)y", "/:a*/b/:c*/d/:e*", "/(.*)-(.*)-(.*)", "/:a(((a|b)*)*)", "/x{/:a}*{/:b}*{/:c}*"]
  ) {
    assertThrows(() => limiter.guard({ [text]: "AUTH" }, hello), TypeError, "Cannot guard", text);
  }
  limiter.guard({ "/:id(\\d+)": "AUTH", "/a/:rest*": "AUTH", "/users/:id?": "AUTH", "/f{/:n}?": "AUTH" }, hello);
});

Deno.test("a rule with groups is compared with long paths in bounded time, and counts for what it cannot judge", () => {
  for (const text of ["/:a*/x/:b*/y", "/:id(\\w+)-(\\w+)", "/{:a/}*{:b/}*z"]) {
    const pattern = compilePath(text);
    const start = performance.now();
    for (const path of ["/a".repeat(250), "/a".repeat(4000), `/${"a".repeat(500)}`, `/${"a-".repeat(4000)}`]) {
      pattern.matches(path);
      pattern.matchesAnyCase(path);
      pattern.matchesEmpty(path, false);
    }
    assertEquals(performance.now() - start < 2000, true, text);
    assertEquals(pattern.matches("/a".repeat(4000)), false);
    assertEquals(pattern.matchesAnyCase("/a".repeat(4000)), true);
  }
});

Deno.test("RateLimiter.guard() counts an empty name as some routers do", async () => {
  const limiter = new RateLimiter(new MemoryLimitStore());
  const serve = limiter.guard({ "/users/:id": "AUTH", "/a/:b/c": "AUTH" }, hello);
  const left = async (path: string) => {
    await limiter.reset("AUTH", "203.0.113.9");
    await serve(new Request(`http://localhost${path}`), INFO);
    return (await limiter.peek("AUTH", "203.0.113.9")).remaining;
  };
  for (const path of ["/users/", "/users/7", "/USERS/", "/a//c"]) assertEquals(await left(path), 4, path);
  for (const path of ["/users", "/a/c", "/other/"]) assertEquals(await left(path), 5, path);
});
