import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type ConnectOptions, resolveConfig } from "../../src/connect/config.ts";
import { ConfigError } from "../../src/errors.ts";
import { client, LOCAL, PEM, refusal, resolve, servers } from "../support/resolve.ts";

Deno.test("resolveConfig() without anything is the embedded store and all defaults", () => {
  assertEquals(resolve(), {
    server: { kind: "memory", implicit: true },
    namespace: "larder",
    buckets: 1,
    commandTimeoutMs: 500,
    cache: {},
    sessions: {},
    rateLimit: {},
    pubsub: {},
    streams: {},
    on: undefined,
  });
  assertEquals(resolveConfig(undefined, () => undefined).server, { kind: "memory", implicit: true });
});

Deno.test("resolveConfig() takes options over the environment", () => {
  const variables = { REDIS_NAMESPACE: "env", REDIS_TTL: "900", REDIS_URL: "redis://env/1", REDIS_DB: "7" };
  const on = () => {};
  const serializer = { serialize: () => "", deserialize: () => 1 };
  const config = resolve({
    url: "redis://option",
    db: 3,
    namespace: "option",
    buckets: 16,
    commandTimeout: "1.5s",
    cache: { ttl: "1h", serializer, jitter: 0.1, compress: { threshold: 10 }, lease: 5, memory: { maxEntries: 9 } },
    on,
  }, variables);
  assertEquals(servers(config), { ...LOCAL, hostname: "option", db: 3 });
  assertEquals([config.namespace, config.buckets, config.commandTimeoutMs], ["option", 16, 1500]);
  assertEquals(config.cache, {
    ttl: "1h",
    serializer,
    jitter: 0.1,
    compress: { threshold: 10 },
    lease: 5,
    memory: { maxEntries: 9 },
  });
  assert(config.cache.serializer === serializer && config.on === on);
  assertEquals(resolve({}, variables).namespace, "env");
  assertEquals(servers(resolve({}, variables)), { ...LOCAL, hostname: "env", db: 1 });
});

Deno.test("resolveConfig() leaves its arguments alone", () => {
  const options = Object.freeze({ cache: Object.freeze({ jitter: 0.5 }) });
  const config = resolve(options, { REDIS_TTL: "60" });
  assertEquals(config.cache, { jitter: 0.5, ttl: 60 });
  assertEquals(options, { cache: { jitter: 0.5 } });
});

Deno.test("resolveConfig() takes the embedded store where it is asked for", () => {
  for (const url of ["memory:", "memory://", "MEMORY:"]) {
    for (
      const config of [resolve({ url }, { REDIS_HOST: "redis", REDIS_PASSWORD: "x" }), resolve({}, { REDIS_URL: url })]
    ) {
      assertEquals(config.server, { kind: "memory", implicit: false });
    }
  }
  // An option that says "in this process" keeps the cache there too.
  assertEquals(resolve({ url: "memory:" }, { REDIS_CACHE_URL: "redis://cache" }).cacheServer, undefined);
  assertEquals(servers(resolve({}, { REDIS_URL: "memory:", REDIS_CACHE_URL: "redis://cache" })), {
    kind: "memory",
    implicit: false,
    cache: { ...LOCAL, hostname: "cache" },
  });
});

Deno.test("resolveConfig() takes a client, alone", async (t) => {
  await t.step("whatever the environment says", () => {
    const config = resolve({ client }, { REDIS_URL: "nonsense", REDIS_USERNAME: "app", REDIS_TLS: "maybe" });
    assert(config.server.kind === "client" && config.server.client === client);
  });
  await t.step("not beside other ways to say where", () => {
    assertEquals(
      refusal({ client, url: "redis://u:p@h" }).message,
      'Cannot use client: wanted either "client" or "url", got both',
    );
    for (const rest of [{ db: 1 }, { username: "u" }, { password: "hunter2" }, { passwordFile: "/p" }, { tls: true }]) {
      const error = refusal({ client, ...rest });
      assertEquals(error.setting, Object.keys(rest)[0]);
      assertStringIncludes(error.message, 'left out beside "client", which is connected already');
    }
  });
  await t.step("beside a server for the cache", () => {
    const config = resolve({ client, cacheUrl: "redis://cache", username: "u", password: "p" });
    assertEquals(config.server.kind, "client");
    assertEquals(servers(config).cache, { ...LOCAL, hostname: "cache", username: "u", password: "p" });
    assertEquals(refusal({ client, cacheUrl: "redis://cache", db: 1 }).setting, "db");
  });
  await t.step("and nothing else in its place", () => {
    for (const other of [{}, () => {}, "redis://u:hunter2@h", { pipeline: () => {} }, null, 5]) {
      const error = refusal({ client: other });
      assertStringIncludes(error.message, "Cannot use client: wanted a client as made by fromDbRedis()");
      assert(!error.message.includes("hunter2"));
    }
  });
});

Deno.test("resolveConfig() refuses options of the wrong kind", () => {
  const duration = 'seconds as a number or a string such as "30s"';
  const cases: [unknown, string, string][] = [
    [null, "options", "wanted an object with options, as in { url: … }, got null"],
    ["redis://u:hunter2@h", "options", "wanted an object with options, as in { url: … }, got a string"],
    [[], "options", "wanted an object with options, as in { url: … }, got an array with 0 elements"],
    [{ url: "" }, "url", "got an empty string"],
    [{ url: new URL("redis://u:hunter2@h") }, "url", "got an instance of URL"],
    [{ cacheUrl: 5 }, "cacheUrl", "got a number"],
    [{ username: 5 }, "username", "wanted a string, got a number"],
    [{ password: 123456 }, "password", "wanted a string, got a number"],
    [{ password: ["hunter2"] }, "password", "wanted a string, got an array with 1 element"],
    [{ passwordFile: "" }, "passwordFile", 'wanted the path of a file, got ""'],
    [{ db: "1" }, "db", 'wanted a whole number from 0 to 2147483647, got "1"'],
    [{ db: -1 }, "db", "got -1"],
    [{ db: 1.5 }, "db", "got 1.5"],
    [{ db: NaN }, "db", "got NaN"],
    [{ tls: "yes" }, "tls", 'wanted a boolean or { caCerts }, got "yes"'],
    [{ tls: null }, "tls", "got null"],
    [{ tls: { caCerts: PEM } }, "tls.caCerts", "wanted an array of certificates in PEM format, got a string"],
    [
      { tls: { caCerts: [PEM, "/ca.pem"] } },
      "tls.caCerts",
      "wanted a certificate in PEM format (its text, not its path), got a string",
    ],
    [{ tls: { caCert: PEM } }, "tls.caCert", 'such as "tls.caCerts", got an unknown name'],
    [{ namespace: "" }, "namespace", 'wanted 1 to 64 letters, digits, ".", "_" or "-", got ""'],
    [{ namespace: "a:b" }, "namespace", 'got "a:b"'],
    [{ buckets: 0 }, "buckets", "wanted a whole number from 1 to 1024, got 0"],
    [{ buckets: 1025 }, "buckets", "got 1025"],
    [{ commandTimeout: 0 }, "commandTimeout", `wanted ${duration}, from 1ms to 1h, got 0`],
    [{ commandTimeout: "2h" }, "commandTimeout", 'got "2h"'],
    [{ commandTimeout: Infinity }, "commandTimeout", "got Infinity"],
    [{ on: "log" }, "on", 'wanted a function, got "log"'],
    [{ cache: 5 }, "cache", "wanted an object with options of the cache, got 5"],
    [{ cache: { ttl: -1 } }, "cache.ttl", `wanted ${duration}, got -1`],
    [{ cache: { ttl: "soon" } }, "cache.ttl", 'got "soon"'],
    [{ cache: { ttl: null } }, "cache.ttl", "got null"],
    [{ cache: { staleWhileRevalidate: NaN } }, "cache.staleWhileRevalidate", "got NaN"],
    [{ cache: { staleIfError: "1w" } }, "cache.staleIfError", 'got "1w"'],
    [{ cache: { lease: 0 } }, "cache.lease", "from 10ms to 1d, got 0"],
    [{ cache: { retryAfter: {} } }, "cache.retryAfter", "got an object"],
    [{ cache: { jitter: 1.1 } }, "cache.jitter", "wanted a number from 0 to 1, got 1.1"],
    [{ cache: { jitter: "0.1" } }, "cache.jitter", 'got "0.1"'],
    [{ cache: { serializer: "json" } }, "cache.serializer", "wanted a serializer with serialize() and deserialize()"],
    [
      { cache: { compress: "yes" } },
      "cache.compress",
      'wanted a boolean or { threshold } with a number of bytes, got "yes"',
    ],
    [
      { cache: { compress: { threshold: -1 } } },
      "cache.compress.threshold",
      "wanted a whole number of at least 0, got -1",
    ],
    [{ cache: { compress: { treshold: 1 } } }, "cache.compress.treshold", 'such as "cache.compress.threshold"'],
    [{ cache: { maxBytes: 0 } }, "cache.maxBytes", "wanted a whole number from 1 to 4294967295, got 0"],
    [{ cache: { maxKeyBytes: "512" } }, "cache.maxKeyBytes", 'got "512"'],
    [{ cache: { memory: { maxEntries: 0 } } }, "cache.memory.maxEntries", "wanted a whole number of at least 1, got 0"],
    [{ cache: { memory: { entries: 1 } } }, "cache.memory.entries", 'such as "cache.memory.maxEntries"'],
    [
      { tls: false, url: "rediss://u:hunter2@h" },
      "tls",
      "wanted true, or a redis:// URL as url, got false and a rediss:// URL",
    ],
    [{ tls: false, cacheUrl: "rediss://h" }, "tls", "a redis:// URL as cacheUrl"],
    [{ url: "redis://h", username: "app" }, "username", "wanted a password for the user name, got none"],
  ];
  for (const [options, setting, text] of cases) {
    const error = refusal(options);
    assertEquals(error.setting, setting, error.message);
    assertStringIncludes(error.message, `Cannot use ${setting}: wanted `);
    assertStringIncludes(error.message, text);
    assert(!/hunter2|123456/.test(error.message + error.stack + JSON.stringify(error)), error.message);
    assertEquals(error.cause, undefined);
  }
});

Deno.test("resolveConfig() names the option that was probably meant", () => {
  const cases: [unknown, string, string][] = [
    [{ comandTimeout: 1 }, "comandTimeout", "commandTimeout"],
    [{ Namespace: "a" }, "Namespace", "namespace"],
    [{ nmaespace: "a" }, "nmaespace", "namespace"],
    [{ redisUrl: "redis://u:hunter2@h" }, "redisUrl", "url"],
    [{ host: "localhost" }, "host", "url"],
    [{ keyPrefix: "x" }, "keyPrefix", "namespace"],
    [{ ttl: 5 }, "ttl", "cache.ttl"],
    [{ cache: { tll: 5 } }, "cache.tll", "cache.ttl"],
    [{ cache: { swr: 5, staleWhileRevalidating: 5 } }, "cache.swr", "cache.staleWhileRevalidate"],
    [{ cache: { staleWhileRevalidating: 5 } }, "cache.staleWhileRevalidating", "cache.staleWhileRevalidate"],
  ];
  for (const [options, setting, near] of cases) {
    const error = refusal(options);
    assertEquals(error.setting, setting);
    assertEquals(
      error.message,
      `Cannot use ${setting}: wanted an option that there is, such as "${near}", got an unknown name`,
    );
  }
});

Deno.test("resolveConfig() names all options when none is near", () => {
  for (const [options, setting] of [[{ maxRetries: 3 }, "maxRetries"], [{ "a\nb": 5 }, '"a\\nb"']] as const) {
    assertEquals(
      refusal(options).message,
      `Cannot use ${setting}: wanted an option that there is (url, cacheUrl, client, username, password, passwordFile, db, tls, ` +
        "namespace, buckets, commandTimeout, connectTimeout, heartbeat, slowerThan, cache, sessions, images, rateLimit, " +
        "pubsub, streams, on), got an unknown name",
    );
  }
});

Deno.test("resolveConfig() accepts undefined for every option", () => {
  const names = [
    ...["url", "cacheUrl", "client", "username", "password", "passwordFile", "db", "tls", "namespace", "buckets"],
    ...["commandTimeout", "cache", "on"],
  ];
  assertEquals(resolve(Object.fromEntries(names.map((name) => [name, undefined]))), resolve());
});

Deno.test("resolveConfig() refuses options of sessions with the sentence of all others", () => {
  const bad: [Record<string, unknown>, string][] = [
    [{ maxPerUser: -1 }, 'a whole number of at least 0, or { limit, whenFull } with "oldest" or "least-recent"'],
    [{ maxPerUser: { limit: 1, whenFull: "newest" } }, '{ limit, whenFull } with "oldest" or "least-recent"'],
    [{ maxPerUser: { limit: 1, other: 1 } }, "{ limit, whenFull }"],
    [{ maxPerUser: {} }, "{ limit, whenFull }"],
    [{ maxBytes: 1.5 }, "a whole number of at least 0"],
    [{ renewalGrace: "2h" }, "up to 1h"],
    [{ renewalGrace: -1 }, "up to 1h"],
    [{ ttl: "40000d" }, "up to 36525d"],
  ];
  for (const [sessions, wanted] of bad) {
    const error = assertThrows(() => resolveConfig({ sessions } as ConnectOptions, () => undefined), ConfigError);
    assertEquals(error.message.includes(wanted), true, error.message);
    assertEquals(error.message.includes(`sessions.${Object.keys(sessions)[0]}`), true, error.message);
  }
  const sessions = { maxPerUser: { limit: 3, whenFull: "least-recent" }, maxBytes: 0, renewalGrace: 0 } as const;
  assertEquals(resolveConfig({ url: "memory:", sessions }, () => undefined).sessions, sessions);
});
