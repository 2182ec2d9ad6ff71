import { describe } from "../util/describe.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { textOf } from "./error_text.ts";
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

/** The level of every event: one that is missing here does not compile. */
const LEVEL: Readonly<Record<LarderEvent["type"], LogLevel>> = {
  "cache.hit": "debug",
  "cache.miss": "debug",
  "cache.load": "debug",
  "cache.load_error": "warn",
  "cache.unreadable": "warn",
  "cache.schema_mismatch": "warn",
  "cache.error": "warn",
  "cache.invalidate": "debug",
  "cache.replayed": "info",
  "cache.epoch": "info",
  "session.create": "debug",
  "session.unknown": "debug",
  "session.destroy": "debug",
  "session.regenerate": "debug",
  "session.evict": "debug",
  "session.revoke": "debug",
  "session.unreadable": "warn",
  "session.schema_mismatch": "warn",
  "session.error": "warn",
  "image.error": "warn",
  "image.mismatch": "warn",
  "redis.connected": "info",
  "redis.disconnected": "warn",
  "redis.circuit": "info",
  "redis.refused": "warn",
  "redis.slow": "warn",
  "limit.refused": "debug",
  "limit.shadow": "debug",
  "limit.degraded": "warn",
  "limit.recovered": "info",
  "lock.acquired": "debug",
  "lock.waited": "debug",
  "lock.lost": "warn",
  "channel.gap": "warn",
  "channel.refused": "warn",
  "stream.retry": "warn",
  "stream.dead": "warn",
  "stream.refused": "warn",
  "stream.claimed": "info",
  "stream.lost": "warn",
  "stream.gap": "warn",
  "stream.error": "warn",
  "replicas.missed": "warn",
  warning: "warn",
};

/** For how long a reason that was told is only counted, in milliseconds. */
const COUNTED_FOR = 60_000;
/** Reasons that are remembered. */
const MAX_REASONS = 200;

/**
 * Makes a listener for the `on` option of `connect()` that writes events to a logger, each with its fields.
 *
 * Hits, misses, loads, invalidations, sessions and refusals are `debug`; changes of the connection are `info`; what
 * fails is `warn`. What fails for the same reason is written once; for a minute it is only counted after that, and the
 * next line says how often it was (`repeated`). Errors are written as text, with their causes and without stacks.
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
  const reasons = new Reasons();
  return (event) => {
    const at = LEVEL[event.type] ?? "debug"; // an event of a later version
    if (LEVELS.indexOf(at) < least) return;
    const { type, ...fields } = withTexts(event);
    const repeated = at === "warn" || at === "error" ? reasons.note(reasonOf(event)) : 0;
    if (repeated === undefined) return;
    // A logger may give a promise, whose rejection is for whoever calls the listener to catch.
    return logger[at](messageOf(event), { type, ...fields, ...(repeated > 0 && { repeated }) });
  };
}

function messageOf(event: LarderEvent): string {
  return event.type === "warning" ? event.message : `Larder: ${event.type}`;
}

/** The event with the texts of its errors instead of these. */
function withTexts(event: LarderEvent): LarderEvent {
  const errors = Object.entries(event).filter(([name]) => name === "error" || name === "reason");
  if (errors.length === 0) return event;
  return { ...event, ...Object.fromEntries(errors.map(([name, error]) => [name, error && textOf(error)])) };
}

/** What makes two events tell the same. */
function reasonOf(event: LarderEvent): string {
  switch (event.type) {
    case "warning":
      return event.message;
    case "cache.schema_mismatch":
    case "session.schema_mismatch":
      return [event.type, ...event.issues].join("\n");
    case "image.mismatch":
      return [event.type, event.wanted, event.got].join("\n");
    case "image.error":
      return [event.type, (event.error as Error)?.name].join("\n"); // their texts name the image
    case "redis.slow":
      return [event.type, event.server, event.operation].join("\n");
    default: {
      const { type, server, operation, error, reason } = event as typeof event & Record<string, unknown>;
      return [type, server, operation, textOf(error ?? reason)].join("\n");
    }
  }
}

/** What was told, and how often it was not told since. */
class Reasons {
  readonly #told = new Map<string, { at: number; repeated: number }>();

  /** How often it was not told, if it is to be told now; else `undefined`. */
  note(text: string): number | undefined {
    const reason = text.replace(/\d{6,}/g, ""); // times in it differ each time
    const now = Date.now();
    const known = this.#told.get(reason);
    if (known && Math.abs(now - known.at) < COUNTED_FOR) {
      known.repeated++;
      return undefined;
    }
    this.#told.delete(reason);
    this.#told.set(reason, { at: now, repeated: 0 });
    if (this.#told.size > MAX_REASONS) this.#told.delete(this.#told.keys().next().value!);
    return known?.repeated ?? 0;
  }
}
