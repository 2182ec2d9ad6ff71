import { assertEquals, assertThrows } from "@std/assert";
import { connect, logEvents, type Logger } from "../mod.ts";

function recorder(): { logger: Logger; lines: [string, string, unknown][] } {
  const lines: [string, string, unknown][] = [];
  const take = (level: string) => (message: string, fields?: unknown) => void lines.push([level, message, fields]);
  return { logger: { debug: take("debug"), info: take("info"), warn: take("warn"), error: take("error") }, lines };
}

Deno.test("logEvents() writes what fails, and the rest when asked to", async () => {
  const { logger, lines } = recorder();
  await using quiet = await connect({ url: "memory:", on: logEvents(logger) });
  const error = new Error("no");
  await quiet.cache.getOrSet("a", () => Promise.reject(error)).catch(() => {});
  assertEquals(lines, [["warn", "Larder: cache.load_error", {
    type: "cache.load_error",
    key: "a",
    error,
    fallback: false,
    background: false,
  }]]);
  const all = recorder();
  await using redis = await connect({ url: "memory:", on: logEvents(all.logger, { level: "debug" }) });
  await redis.cache.get("a");
  assertEquals(all.lines, [["debug", "Larder: cache.miss", { type: "cache.miss", key: "a" }]]);
});

Deno.test("logEvents() refuses what is no logger", () => {
  assertThrows(() => logEvents({} as Logger), TypeError, "wanted a logger with debug, info, warn, error");
  assertThrows(() => logEvents(console, { level: "loud" as "info" }), TypeError, 'got "loud"');
});
