import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { compilePath } from "../../src/rate_limit/path_pattern.ts";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import { readingsOf, withAndWithoutSlash } from "../../src/rate_limit/spellings.ts";
import { keepTarget } from "../../src/web/target.ts";
import { EFFORT } from "./effort.ts";
import { OLDEST } from "../support/oldest.ts";

const PEER = { remoteAddr: { hostname: "203.0.113.9" } };
const hello = () => new Response("hello");
const namesIn = ({ headers }: Response): string[] => [...headers.get("RateLimit-Policy")?.match(/[A-Z]+/g) ?? []];

Deno.test("readingsOf() gives each way in which a path may be read, once", () => {
  const cases: [path: string, ...readings: string[]][] = [
    ["/login"],
    ["/"],
    ["/a.b/c-d_e~f"],
    ["/login/"],
    ["/.well-known/x"],
    ["/%6cogin", "/login"],
    ["/%256c", "/%6c"],
    ["/a%2fb", "/a/b"],
    ["/x/../login", "/login"],
    ["/x/%2e%2E/login", "/login", "/x/../login"],
    ["/a//b", "/a/b"],
    ["/login;x/y", "/login", "/login/y"],
    ["//h/login", "/h/login", "/login"],
    ["/caf%c3%a9", "/café"],
    ["/%zz", "/%zz"],
    ["/%ff%6c", "/%ffl"],
  ];
  for (const [path, ...others] of cases) {
    assertEquals([...readingsOf(path)].sort(), [...new Set([path, ...others])].sort(), path);
  }
  // What can be sent in no other way is the character.
  assertEquals(readingsOf("/caf%C3%A9%20x"), ["/café x"]);
});

Deno.test("withAndWithoutSlash() gives a path with a slash at its end, and without", () => {
  assertEquals(withAndWithoutSlash("/a"), ["/a", "/a/"]);
  assertEquals(withAndWithoutSlash("/a///"), ["/a", "/a/"]);
  assertEquals(withAndWithoutSlash("/"), ["/"]);
  assertEquals(withAndWithoutSlash("///"), ["/"]);
});

Deno.test("compilePath() fits what URLPattern fits", () => {
  const texts = [
    "/login",
    "/users/:id",
    "/a/:b/c/:d",
    "/static/*",
    "/*",
    "/x/*/y",
    "/:a-:b",
    "/a.b",
    "/café",
    "/a b",
    "/{a}?b",
    "/a/*/b/*",
    "/*/:id/*",
    ...(OLDEST ? [] : ["/*a*:b"]),
    "/users/:rest*",
  ];
  const part = fc.constantFrom(
    "login",
    "users",
    "7",
    "a",
    "b",
    "c",
    "static",
    "x",
    "y",
    "-",
    ".",
    "",
    "café",
    "A",
    "{",
    "$",
  );
  const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join("/")}`);
  fc.assert(
    fc.property(fc.constantFrom(...texts), path, (text, path) => {
      const compiled = compilePath(text);
      const wanted = [{ ignoreCase: false }, { ignoreCase: true }].map((options) =>
        new URLPattern({ pathname: text }, options).test({ pathname: path })
      );
      // Two readings of dots are two readings, which URLPattern knows one of.
      if (path.includes("/./") || path.endsWith("/.")) return;
      assertEquals([compiled.matches(path), compiled.matchesAnyCase(path)], wanted, `${text} ${path}`);
    }),
    { seed: 3, numRuns: 400 * EFFORT },
  );
});

Deno.test("RateLimiter.guard() counts by the rules of all readings of a path", async (t) => {
  const limiter = new RateLimiter<string>(new MemoryLimitStore());
  for (const name of ["ONE", "TWO", "REST"]) limiter.define(name, { limit: 100, window: "1m" });
  const asked = async (rules: Record<string, string>, target: string, options = {}, method = "POST") => {
    const request = new Request("http://localhost/", { method });
    keepTarget(request, target);
    const response = await limiter.guard(rules, hello, options)(request, PEER);
    return namesIn(response);
  };
  await t.step("two readings, two rules", async () => {
    const rules = { "/files/:name": "ONE", "/files/:folder/:name": "TWO", "*": "REST" };
    assertEquals(await asked(rules, "/files/a"), ["ONE"]);
    assertEquals(await asked(rules, "/files/a/b"), ["TWO"]);
    assertEquals(await asked(rules, "/files/a%2Fb"), ["ONE", "TWO", "REST"]);
    assertEquals(await asked(rules, "/files/x/../a"), ["ONE", "REST"]);
  });
  await t.step("a wider rule in front of a stricter one", async () => {
    const rules = { "/static/*": "ONE", "/login": "TWO", "*": "REST" };
    assertEquals(await asked(rules, "/static/x"), ["ONE"]);
    assertEquals(await asked(rules, "/static/../login"), ["ONE", "TWO", "REST"]);
    assertEquals(await asked(rules, "/static/..%2flogin"), ["ONE", "TWO", "REST"]);
    assertEquals(await asked(rules, "/STATIC/x"), ["ONE", "REST"]);
    assertEquals(await asked(rules, "/static"), ["ONE", "REST"]);
  });
  await t.step("caseSensitive and strict, for who wants less", async () => {
    const rules = { "/login": "ONE", "*": "REST" };
    assertEquals(await asked(rules, "/LOGIN"), ["ONE", "REST"]);
    assertEquals(await asked(rules, "/LOGIN", { caseSensitive: true }), ["REST"]);
    assertEquals(await asked(rules, "/login/"), ["ONE", "REST"]);
    assertEquals(await asked(rules, "/login/", { strict: true }), ["REST"]);
    assertEquals(await asked(rules, "/LOGIN/", { strict: true }), ["REST"]);
    assertEquals(await asked(rules, "/LOGIN", { strict: true }), ["ONE", "REST"]);
    assertEquals(await asked(rules, "/%6cogin", { strict: true, caseSensitive: true }), ["ONE", "REST"]);
  });
  await t.step("rules with a slash at their end, in another case, and with escapes", async () => {
    for (const rule of ["/login/", "/Login", "/l%6Fgin"]) {
      for (const path of ["/login", "/login/", "/LOGIN", "/lo%67in"]) {
        assert((await asked({ [rule]: "ONE" }, path)).includes("ONE"), `${rule} ${path}`);
      }
    }
  });
  await t.step("groups and names that may be left out, in another case", async () => {
    for (
      const [rule, ...paths] of [
        ["/café{/:x}?", "/caf%C3%A9", "/café/", "/caf%C3%89", "/CAF%c3%89/1"],
        ["/api/:rest*", "/api", "/API/", "/api/a/b"],
      ] as const
    ) {
      for (const path of paths) assert((await asked({ [rule]: "ONE" }, path)).includes("ONE"), `${rule} ${path}`);
    }
  });
  await t.step("methods in another case, and those that headers ask for", async () => {
    const rules = { "DELETE /x": "ONE", "*": "REST" };
    assertEquals(await asked(rules, "/x", {}, "delete"), ["ONE"]); // fetch knows this one
    const override = async (headers: HeadersInit, target = "/x", method = "POST") => {
      const request = new Request("http://localhost/", { method, headers });
      keepTarget(request, target);
      const response = await limiter.guard(rules, hello)(request, PEER);
      return namesIn(response);
    };
    for (const name of ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]) {
      assertEquals(await override({ [name]: "delete" }), ["ONE", "REST"], name);
      assertEquals(await override({ [name]: "PUT" }), ["REST"], name);
      // Express takes the first of several.
      assertEquals(await override({ [name]: "DELETE, PUT" }), ["ONE", "REST"], name);
      assertEquals(await override({ [name]: "put ,delete" }), ["ONE", "REST"], name);
    }
    for (const query of ["_method=DELETE", "a=1&%5Fmethod=delete", "_metho%64=D%45LETE", "%5f%6d%65thod=DELETE"]) {
      for (const method of ["POST", "HEAD", "GET"]) {
        assertEquals(await override({}, `/x?${query}`, method), ["ONE", "REST"], `${method} ${query}`);
      }
    }
    assertEquals(await override({}, "/x?other_method=DELETE"), ["REST"]);
  });
  await t.step("the path of the framework, beside that which was sent", async () => {
    const gate = limiter.gate({ "/login": "ONE", "/x": "TWO", "*": "REST" });
    const { apply } = await gate.decide(new Request("http://localhost/x"), PEER, { path: "/login" });
    assertEquals(namesIn(apply(hello())), ["ONE", "TWO", "REST"]);
  });
});

Deno.test("RateLimiter.guard() reads the longest path in a short time, and refuses a longer one", async () => {
  const limiter = new RateLimiter(new MemoryLimitStore());
  // In each of them there are many ways to divide a path among its parts.
  const many = { "/a/*/b/*/c/*/d": "API", "/:a-:b-:c-:d/e": "API", "/*-:a/*-:b/x": "API" } as const;
  const serve = limiter.guard({ ...many, "/a/*/b/:c": "API", "POST /login": "AUTH", "*": "STATIC" }, hello);
  const ask = async (path: string) => {
    const request = new Request("http://localhost/");
    keepTarget(request, path);
    return (await serve(request, PEER)).status;
  };
  let slowest = 0;
  for (
    const text of [
      "/",
      "//",
      "/../",
      "%2e%2e/",
      ";",
      "%ff%6c",
      "a/../",
      "\\",
      "%5c",
      "%",
      "/a/",
      "b/",
      "%2f",
      ".",
      "é",
      "-",
      "a/b/c/",
      "%ff-",
    ]
  ) {
    const path = `/${text.repeat(10_000)}`.slice(0, 8192);
    const start = performance.now();
    assertEquals(await ask(path), 200);
    slowest = Math.max(slowest, performance.now() - start);
    assertEquals(await ask(`${path}xx`), 414);
  }
  assertLess(slowest, 2000);
});
