import { assertEquals, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { connect, logEvents, type Logger, RedisError, UnavailableError } from "../../mod.ts";
import type { LarderEvent } from "../../src/observe/events.ts";

type Line = [level: string, message: string, fields: Record<string, unknown>];

function recorder(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const take = (level: string) => (message: string, fields: Record<string, unknown> = {}) =>
    void lines.push([level, message, fields]);
  return { logger: { debug: take("debug"), info: take("info"), warn: take("warn"), error: take("error") }, lines };
}

Deno.test("logEvents() writes what fails, and the rest when asked to", async () => {
  const { logger, lines } = recorder();
  await using quiet = await connect({ url: "memory:", on: logEvents(logger) });
  await quiet.cache.getOrSet("a", () => Promise.reject(new Error("no"))).catch(() => {});
  assertEquals(lines, [["warn", "Larder: cache.load_error", {
    type: "cache.load_error",
    key: "a",
    error: "Error: no",
    fallback: false,
    background: false,
  }]]);
  const all = recorder();
  await using redis = await connect({ url: "memory:", on: logEvents(all.logger, { level: "debug" }) });
  await redis.cache.get("a");
  assertEquals(all.lines, [["debug", "Larder: cache.miss", { type: "cache.miss", key: "a" }]]);
});

Deno.test("logEvents() warns of whatever does not work, in every service", () => {
  const error = new Error("no");
  const events: LarderEvent[] = [
    { type: "cache.error", operation: "read", error },
    { type: "session.error", operation: "read session", error },
    { type: "session.unreadable", handle: "h", error },
    { type: "session.schema_mismatch", handle: "h", issues: ["theme"] },
    { type: "image.error", filename: "a.png", error },
    { type: "image.mismatch", filename: "a.png", wanted: "image/png", got: "image/gif" },
    { type: "limit.degraded", error },
    { type: "redis.disconnected", client: "x", server: "all", error },
    { type: "redis.refused", server: "all", operation: "read", code: "OOM", error: new RedisError("OOM no") },
    { type: "redis.slow", server: "all", operation: "read", commands: 1, milliseconds: 200 },
    { type: "warning", message: "careful" },
  ];
  const { logger, lines } = recorder();
  const listener = logEvents(logger);
  for (const event of events) listener(event);
  assertEquals(lines.map(([level, , { type }]) => [level, type]), events.map(({ type }) => ["warn", type]));
});

Deno.test("logEvents() tells a reason once, then counts it for a minute", () => {
  using time = new FakeTime();
  const { logger, lines } = recorder();
  const listener = logEvents(logger);
  const fail = (key: string, message: string) =>
    listener({ type: "cache.error", operation: "read", key, error: new Error(message) });
  for (let i = 0; i < 50; i++) fail(`user:${i}`, "refused");
  fail("a", "timed out");
  assertEquals(lines.map(([, , { error, repeated }]) => [error, repeated]), [
    ["Error: refused", undefined],
    ["Error: timed out", undefined],
  ]);
  time.tick(60_000);
  fail("b", "refused");
  fail("c", "refused");
  assertEquals(lines.slice(2).map(([, , { key, repeated }]) => [key, repeated]), [["b", 49]]);
});

Deno.test("logEvents() writes errors as text with their causes, without stacks", () => {
  const { logger, lines } = recorder();
  const cause = new TypeError("connection\nrefused", { cause: "ECONNREFUSED" });
  const error = new UnavailableError("read session", "connection", { cause });
  logEvents(logger)({ type: "session.error", operation: "read session", error });
  assertEquals(
    lines[0]![2].error,
    "UnavailableError: Cannot read session: Redis is unavailable: the connection failed, " +
      "because of TypeError: connection refused, because of ECONNREFUSED",
  );
  assertEquals(JSON.stringify(lines).includes(".ts:"), false);
});

Deno.test("logEvents() remembers a bounded number of reasons", () => {
  const { logger, lines } = recorder();
  const listener = logEvents(logger);
  for (let i = 0; i <= 200; i++) listener({ type: "warning", message: `number ${i}` });
  listener({ type: "warning", message: "number 0" });
  listener({ type: "warning", message: "number 200" });
  assertEquals(lines.length, 202);
});

Deno.test("logEvents() refuses what is no logger", () => {
  assertThrows(() => logEvents({} as Logger), TypeError, "wanted a logger with debug, info, warn, error");
  assertThrows(() => logEvents(console, { level: "loud" as "info" }), TypeError, 'got "loud"');
});
