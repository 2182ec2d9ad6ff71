import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { inspect } from "node:util";
import type { ConnectOptions } from "../../src/connect/config.ts";
import { ConfigError } from "../../src/errors.ts";
import { EFFORT } from "../support/effort.ts";
import { LOCAL, refusal, resolve, servers, type Variables } from "../support/resolve.ts";

Deno.test("resolveConfig() reads URLs", () => {
  const tls = { caCerts: [] };
  const cases: [string, Record<string, unknown>][] = [
    ["redis://localhost", {}],
    ["redis://localhost:6379", {}],
    ["redis://localhost/", {}],
    ["REDIS://LocalHost:6379/0", {}],
    ["redis://redis:6380", { hostname: "redis", port: 6380 }],
    ["redis://my_redis.internal-1.example.com", { hostname: "my_redis.internal-1.example.com" }],
    ["redis://10.0.0.7:1", { hostname: "10.0.0.7", port: 1 }],
    ["redis://[::1]:65535/15", { hostname: "::1", port: 65_535, db: 15 }],
    ["redis://[2001:DB8::7]", { hostname: "2001:db8::7" }],
    ["redis://bücher.example", { hostname: "xn--bcher-kva.example" }],
    ["redis://localhost/2", { db: 2 }],
    ["redis://localhost?db=2", { db: 2 }],
    ["redis://localhost/?db=2", { db: 2 }],
    ["redis://localhost/2?db=2", { db: 2 }],
    ["rediss://localhost", { tls }],
    ["rediss://u:p@cache.example.com:6380/1", {
      hostname: "cache.example.com",
      port: 6380,
      username: "u",
      password: "p",
      db: 1,
      tls,
    }],
    ["redis://user:pass@localhost", { username: "user", password: "pass" }],
    ["redis://:pass@localhost", { password: "pass" }],
    ["redis://default:pass@localhost", { username: "default", password: "pass" }],
    ["redis://default@localhost", {}],
    ["redis://@localhost", {}],
    ["redis://:@localhost", {}],
    ["redis://us%3Aer:p%40s%2Fs%23w%3F%25%20%C3%A9@localhost", { username: "us:er", password: "p@s/s#w?% é" }],
    ["redis://user:a:b:c@localhost", { username: "user", password: "a:b:c" }],
    ["redis://user:p@ss@localhost", { username: "user", password: "p@ss" }],
    ["redis://user:a+b=c&d;e@localhost", { username: "user", password: "a+b=c&d;e" }],
  ];
  for (const [url, wanted] of cases) {
    assertEquals(servers(resolve({ url })), { ...LOCAL, ...wanted }, url);
    assertEquals(servers(resolve({}, { REDIS_URL: ` ${url}\n` })), { ...LOCAL, ...wanted }, url);
    if (!url.includes("db") && !/\/\d+$/.test(url)) {
      assertEquals(servers(resolve({ cacheUrl: url })).cache, { ...LOCAL, ...wanted }, url);
    }
  }
});

Deno.test("resolveConfig() refuses URLs it cannot use, and shows nothing of them", () => {
  const cases: [string, string][] = [
    ["hunter2", "redis://[user:password@]host[:port][/db]"],
    ["localhost:6379", "redis://[user"],
    ["http://hunter2", "redis://[user"],
    ["redis:hunter2", "redis://[user"],
    ["redis:/hunter2", "redis://[user"],
    ["memory:hunter2", "redis://[user"],
    ["redis://", '"host" or "host:port"'],
    ["redis://:6379", '"host" or "host:port"'],
    ["redis:///2", '"host" or "host:port"'],
    ["redis://hunter2@", '"host" or "host:port"'],
    ["redis://user:hunter2@:6379", '"host" or "host:port"'],
    ["redis://hunter2:hunter2", '"host" or "host:port"'],
    ["redis://::1:6379", '"host" or "host:port"'],
    ["redis://[::1", '"host" or "host:port"'],
    ["redis://[::hunter2]", '"host" or "host:port"'],
    ["redis://[fe80::1%25eth0]", '"host" or "host:port"'],
    ["redis://[1:2]", '"host" or "host:port"'],
    ["redis://256.256.256.256", '"host" or "host:port"'],
    ["redis://6379", '"host" or "host:port"'],
    ["redis://local host", '"host" or "host:port"'],
    ["redis://back\\slash", '"host" or "host:port"'],
    ["redis://a,b", '"host" or "host:port"'],
    ["redis://a:1,b:2", '"host" or "host:port"'],
    ["redis://localhost:0", "a port from 1 to 65535"],
    ["redis://localhost:65536", "a port from 1 to 65535"],
    ["redis://default:0123456", "a port from 1 to 65535"],
    ["redis://u:hunter%2@localhost", "percent-encoded"],
    ["redis://u:50%off@localhost", "percent-encoded"],
    ["redis://u%ff:hunter2@localhost", "percent-encoded"],
    ["redis://u:hunter2/x@localhost", "percent-encoded"],
    ["redis://u:12/hunter2@localhost", "percent-encoded"],
    ["redis://hunter#2@localhost", "percent-encoded"],
    ["redis://hunter?2@localhost", "percent-encoded"],
    ["redis://localhost#hunter2", "percent-encoded"],
    ["redis://localhost/hunter2", "a database number"],
    ["redis://localhost/-1", "a database number"],
    ["redis://localhost/1.5", "a database number"],
    ["redis://localhost/0x1", "a database number"],
    ["redis://localhost/2147483648", "a database number"],
    ["redis://localhost/1/2", "a database number"],
    ["redis://localhost/1?db=2", "a database number"],
    ["redis://localhost?db=hunter2", "a database number"],
    ["redis://localhost?password=hunter2", "a database number"],
    ["redis://localhost?db=1&db=2", "a database number"],
    ["redis://localhost?5", "a database number"],
    ["redis://hunter2@localhost", "a password for the user name"],
  ];
  for (const [url, wanted] of cases) {
    const places: [string, unknown, Variables][] = [
      ["url", { url }, {}],
      ["cacheUrl", { cacheUrl: url }, {}],
      ["REDIS_URL", {}, { REDIS_URL: url }],
      ["REDIS_CACHE_URL", {}, { REDIS_CACHE_URL: url }],
    ];
    for (const [setting, options, variables] of places) {
      const error = refusal(options, variables);
      assertEquals(error.setting, setting, url);
      assertStringIncludes(error.message, `Cannot use ${setting}: wanted `);
      assertStringIncludes(error.message, wanted);
      assert(!/hunter|0123456|50%off/.test(error.message + error.stack + JSON.stringify(error)), error.message);
    }
  }
});

Deno.test("resolveConfig() shows no secret whatever is wrong with the URL around it", () => {
  const secret = "hunter2";
  const pieces = [
    "redis://",
    "rediss:",
    "redis",
    "//",
    "/",
    ":",
    "@",
    "?",
    "#",
    "%",
    "[",
    "]",
    "db=",
    "host",
    "99999",
    " ",
    "\n",
  ];
  const urls = fc.array(fc.constantFrom(...pieces), { maxLength: 10 }).chain((parts) =>
    fc.nat(parts.length).map((at) => [...parts.slice(0, at), secret, ...parts.slice(at)].join(""))
  );
  let refused = 0;
  const check = (options: ConnectOptions, variables: Variables) => {
    try {
      const config = resolve(options, variables);
      const { server, cacheServer } = config;
      // As a host, a user or a path it would be no secret: those have places of their own.
      if (server.kind === "redis" && (server.hostname.includes(secret) || server.username?.includes(secret))) return;
      if (cacheServer?.hostname.includes(secret) || cacheServer?.username?.includes(secret)) return;
      assert(!(JSON.stringify(config) + Deno.inspect(config, { depth: 9 })).includes(secret));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      refused++;
      const shown = `${error.message}${error.stack}${JSON.stringify(error)}${
        Deno.inspect(error, { depth: 9, showHidden: true })
      }`;
      assert(!shown.includes(secret), shown);
      assertEquals(error.cause, undefined);
    }
  };
  fc.assert(
    fc.property(urls, (url) => {
      check({ url }, {});
      check({ cacheUrl: url }, { REDIS_HOST: "host" });
      check({}, { REDIS_URL: url });
      check({}, { REDIS_URL: "redis://host", REDIS_CACHE_URL: url });
    }),
    { numRuns: 200 * EFFORT },
  );
  assert(refused > 100 * EFFORT, `${refused}`);
});

Deno.test("resolveConfig() hides passwords where configurations are printed", () => {
  const variables = { REDIS_URL: "redis://user:hunter2@host", REDIS_CACHE_URL: "redis://:hunter2@host" };
  const configs = [
    resolve({}, variables),
    resolve({ url: "redis://host", password: "hunter2", cacheUrl: "redis://cache" }),
  ];
  for (const config of configs) {
    assertEquals(
      [config.server, config.cacheServer].map((server) => servers({ ...config, server: server! }).password),
      [
        "hunter2",
        "hunter2",
      ],
    );
    const shown = [
      JSON.stringify(config),
      Deno.inspect(config, { depth: 9, showHidden: true }),
      inspect(config, { depth: 9, showHidden: true }),
      String(Object.values(config.server)),
    ];
    for (const text of shown) {
      assert(!text.includes("hunter2"), text);
      assertStringIncludes(text, "[secret]");
    }
  }
});
