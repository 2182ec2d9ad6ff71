import type { RedisArgument } from "./client.ts";

/** Commands that take a connection over, change it for all, hold it up, or have not one reply each. */
const FORBIDDEN = new Set(
  [
    "subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe monitor sync psync replconf",
    "multi exec discard watch unwatch select auth hello reset quit asking readonly readwrite",
    "client-reply client-tracking client-no-evict client-no-touch script-debug",
    "blpop brpop blmove brpoplpush bzpopmin bzpopmax bzmpop blmpop wait waitaof",
  ].flatMap((line) => line.split(" ")),
);

/**
 * Refuses what a connection that many share cannot carry.
 *
 * @param name The command.
 * @param args Its arguments.
 * @throws {TypeError} If it is no command, or none for such a connection.
 */
export function assertShareable(name: string, args: readonly RedisArgument[]): void {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot send command: wanted its name, got ${typeof name}`);
  }
  for (const arg of args) {
    if (typeof arg === "string" || typeof arg === "number" || arg instanceof Uint8Array) continue;
    const got = arg === null ? "null" : Array.isArray(arg) ? "an array" : typeof arg;
    throw new TypeError(`Cannot send command: wanted arguments that are text, numbers or bytes, got ${got}`);
  }
  if (!breaksConnection(name.toLowerCase(), args)) return;
  throw new TypeError(
    `Cannot send command: wanted one that leaves the shared connection as it is, got "${name.toUpperCase()}"`,
  );
}

function breaksConnection(name: string, args: readonly RedisArgument[]): boolean {
  if (name === "xread" || name === "xreadgroup") {
    const words = args.map((arg) => String(arg).toLowerCase());
    return words.slice(0, words.indexOf("streams")).includes("block");
  }
  return FORBIDDEN.has(name) || (typeof args[0] === "string" && FORBIDDEN.has(`${name}-${args[0].toLowerCase()}`));
}
