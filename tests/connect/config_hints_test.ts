import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { createLazyClient } from "@db/redis";
import { testWithDbRedis } from "../support/jsr.ts";
import { ConfigError } from "../../mod.ts";
import { resolveConfig } from "../../src/connect/config.ts";

function refusal(options: object): ConfigError {
  return assertThrows(() => resolveConfig(options, () => undefined), ConfigError);
}

Deno.test("A URL of another kind is refused with a hint, and nothing of it is shown", () => {
  const cases: [string, string][] = [
    ["127.0.0.1:6379", 'put "redis://" before the host'],
    ["localhost", 'put "redis://" before the host'],
    ["[::1]:6379", 'put "redis://" before the host'],
    ["redis+unix:///run/redis.sock", "for a socket, say unix: and its path"],
    ["/run/redis.sock", "for a socket, say unix: and its path"],
    ["unix:hunter2", "unix:/path/of/the/socket"],
    ["unix:/run/redis.sock?db=hunter2", "unix:/path/of/the/socket"],
    ["https://eu1-hunter2.upstash.io", "begins with rediss://"],
    ["https://hunter2.example", "Redis does not speak HTTP"],
    ['"redis://:hunter2@h:1"', "without quotes and spaces around it"],
    ["'redis://:hunter2@h:1'", "without quotes and spaces around it"],
    [" redis://:hunter2@h:1", "without quotes and spaces around it"],
    ["redis://:hunter2@h ", "without quotes and spaces around it"],
    ["redis-cli -u redis://:hunter2@h:1", "the URL alone"],
    ["REDIS_URL=redis://:hunter2@h:1", "the URL alone"],
    ["redis+sentinel://:hunter2@h:1", "for Sentinels or a cluster, open a client yourself"],
    ["redis:6379", 'put "redis://" before the host'],
    ["redis:/hunter2:6379", 'with "://" behind the scheme'],
    ["redis//hunter2:6379", 'with "://" behind the scheme'],
    ["redis:hunter2", 'with "://" behind the scheme'],
    ["redis:127.0.0.1:6379", 'with "://" behind the scheme'],
    ["redis://${REDIS_HOST}:6379", "with its variables filled in"],
    ["redis://:hunter2@$REDIS_HOST", "with its variables filled in"],
    ["redis://<your-host>:6379", "with its variables filled in"],
    ["{{ redis_url }}", "with its variables filled in"],
    ["redis://undefined:6379", "with its variables filled in"],
    ["undefined", "with its variables filled in"],
    ["redis://undefined:undefined", "with its variables filled in"],
    ["redis://:hunter2@localhost:NaN", "with its variables filled in"],
    ["redis://[object Object]:6379", "with its variables filled in"],
    ["redis-cluster://:hunter2@h:1", "for Sentinels or a cluster, open a client yourself"],
  ];
  for (const [url, hint] of cases) {
    for (const name of ["url", "cacheUrl"]) {
      const error = refusal({ [name]: url });
      assertStringIncludes(error.message, hint);
      assert(!error.message.includes(url) && !error.message.includes("hunter2"), error.message);
    }
  }
});

Deno.test("That the cache alone is to be embedded is told as what cannot be", () => {
  for (const cacheUrl of ["memory:", ":memory:", "memory"]) {
    const { message } = refusal({ url: "redis://127.0.0.1:1", cacheUrl });
    assertStringIncludes(message, "a cache with a server of its own cannot be embedded");
  }
});

Deno.test("A name alone is taken for what it may be meant to be", () => {
  assertStringIncludes(refusal({ url: "redis" }).message, 'put "redis://" before the host');
  for (const url of ["memory", ":memory:"]) {
    assertStringIncludes(refusal({ url }).message, '"memory:" with a colon is the embedded store');
  }
});

Deno.test("valkey:// and valkeys:// are taken as redis:// and rediss://", () => {
  const of = (url: string) => resolveConfig({ url }, () => undefined).server;
  assertEquals(of("valkey://u:p@h:1/2"), of("redis://u:p@h:1/2"));
  assertEquals(of("VALKEYS://h"), of("rediss://h"));
});

Deno.test("unix: names the socket of a server, and what contradicts it is refused", () => {
  const of = (options: object) => resolveConfig(options, () => undefined).server;
  const socket = { kind: "redis", hostname: "localhost", port: 6379, path: "/run/redis.sock", db: 0, tls: false };
  for (const url of ["unix:/run/redis.sock", "unix:///run/redis.sock"]) assertEquals(of({ url }), socket as never);
  assertEquals(of({ url: "unix:/run/redis.sock?db=3" }), { ...socket, db: 3 } as never);
  assertEquals(of({ url: "unix:/run/redis.sock?db=3", db: 4 }), { ...socket, db: 4 } as never);
  assertStringIncludes(refusal({ url: "unix:/run/redis.sock", tls: true }).message, "to be left out for a socket");
});

Deno.test("A certificate to show wants its key, and both as texts that are never shown", () => {
  const cert = "-----BEGIN CERTIFICATE-----\nhunter2";
  const key = "-----BEGIN PRIVATE KEY-----\nhunter2";
  const { server } = resolveConfig({ url: "rediss://h", tls: { cert, key } }, () => undefined);
  assertEquals((server as { tls: unknown }).tls, { caCerts: [], cert, key });
  const cases: [object, string][] = [
    [{ cert }, 'wanted both "cert" and "key", or neither, got "cert" alone'],
    [{ key }, 'got "key" alone'],
    [{ cert: "/hunter2.pem", key }, "wanted a certificate in PEM format (its text, not its path), got a string"],
    [{ cert, key: "/hunter2.key" }, "wanted a private key in PEM format"],
    [{ cert, key: "-----BEGIN ENCRYPTED PRIVATE KEY-----hunter2" }, "without a password, got a string"],
  ];
  for (const [tls, text] of cases) {
    const error = refusal({ url: "rediss://h", tls });
    assertStringIncludes(error.message, text);
    assert(!error.message.includes("hunter2"));
  }
});

Deno.test("A client of a library is refused with the name of its adapter", () => {
  const ioredis = new Redis({ lazyConnect: true });
  const nodeRedis = createClient();
  const cases: [unknown, string][] = [[ioredis, "fromIoredis"], [nodeRedis, "fromNodeRedis"]];
  for (const [client, adapter] of cases) assertStringIncludes(refusal({ client }).message, `: ${adapter}(client) of`);
  ioredis.disconnect();
});

testWithDbRedis("A client of @db/redis is refused with the name of its adapter", () => {
  const client = createLazyClient({ hostname: "127.0.0.1" });
  assertStringIncludes(refusal({ client }).message, ": fromDbRedis(client) of");
});

Deno.test("Infinity is a time to live that never ends, and what is too long names the longest", () => {
  const options = { url: "memory:", cache: { ttl: Infinity, local: { ttl: Infinity } }, sessions: { ttl: Infinity } };
  resolveConfig(options, () => undefined);
  assertStringIncludes(
    refusal({ cache: { ttl: 1e12 } }).message,
    "up to 36525d (100 years), got",
  );
  assertStringIncludes(
    refusal({ cache: { staleIfError: Infinity } }).message,
    "up to 36525d (100 years), got Infinity",
  );
  assert(!refusal({ cache: { ttl: -1 } }).message.includes("100 years"));
});
