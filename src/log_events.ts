import { describe } from "./describe.ts";
import { assertOptions, optionNames } from "./option_names.ts";
import type { EventListener, LarderEvent } from "./events.ts";

/** Takes messages: `console`, a LogTape logger, or whatever has these methods. */
export interface Logger {
  /** What is of interest when looking for a fault. */
  debug(message: string, fields?: Record<string, unknown>): void;
  /** What changed, as expected. */
  info(message: string, fields?: Record<string, unknown>): void;
  /** What does not work at present, or not as meant. */
  warn(message: string, fields?: Record<string, unknown>): void;
  /** What failed. */
  error(message: string, fields?: Record<string, unknown>): void;
}

/** How much is told. */
export type LogLevel = "debug" | "info" | "warn" | "error";

const OPTIONS = optionNames<{ level?: LogLevel }>({ level: true });
const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** What is not told at `debug`. */
const LEVEL: Readonly<Record<string, LogLevel>> = {
  "redis.connected": "info",
  "redis.disconnected": "warn",
  "redis.circuit": "info",
  "cache.epoch": "info",
  "cache.replayed": "info",
  "cache.load_error": "warn",
  "cache.unreadable": "warn",
  "cache.schema_mismatch": "warn",
  "cache.error": "warn",
  warning: "warn",
};

/**
 * Makes a listener for the `on` option of `connect()` that writes events to a logger, each with its fields.
 *
 * Hits, misses, loads and invalidations are `debug`; changes of the connection are `info`; what fails is `warn`.
 *
 * @param logger `console`, a LogTape logger, or whatever has the same methods.
 * @param options From which level on.
 * @returns The listener.
 * @throws {TypeError} If `logger` is none, or the level is not known.
 *
 * @example To the console
 * ```ts
 * import { connect, logEvents } from "@larder/larder";
 *
 * await using redis = await connect({ url: "memory:", on: logEvents(console) });
 * await redis.cache.get("a");
 * ```
 *
 * @example To LogTape
 * ```ts ignore
 * import { connect, logEvents } from "@larder/larder";
 * import { getLogger } from "@logtape/logtape";
 *
 * await using redis = await connect({ on: logEvents(getLogger("larder"), { level: "debug" }) });
 * ```
 */
export function logEvents(logger: Logger, options: { level?: LogLevel } = {}): EventListener {
  assertOptions(options, OPTIONS, "log events");
  const { level = "info" } = options;
  if (!LEVELS.includes(level)) {
    throw new TypeError(`Cannot log events: wanted ${LEVELS.join(", ")} as the level, got ${describe(level)}`);
  }
  if (!logger || LEVELS.some((name) => typeof logger[name] !== "function")) {
    throw new TypeError(`Cannot log events: wanted a logger with ${LEVELS.join(", ")}, got ${describe(logger)}`);
  }
  const least = LEVELS.indexOf(level);
  return (event) => {
    const at = LEVEL[event.type] ?? "debug";
    if (LEVELS.indexOf(at) < least) return;
    const { type, ...fields } = event;
    logger[at](messageOf(event), { type, ...fields });
  };
}

function messageOf(event: LarderEvent): string {
  return event.type === "warning" ? event.message : `Larder: ${event.type}`;
}
