import { ConfigError, RedisError, UnavailableError } from "../../errors.ts";
import { unref } from "../../util/timers.ts";
import { canStillRead } from "../refusals.ts";
import type { RedisCommand, RedisReply } from "../client.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { endpointText, type RedisAddress } from "./address.ts";
import { Connection } from "./connection.ts";
import { dial } from "./dial.ts";
import { mismatchOf } from "./mismatch.ts";

/** How a connection is opened. */
export interface OpenOptions {
  /** Milliseconds after which the attempt is given up. */
  timeout: number;
  /** Gives it up before. */
  signal: AbortSignal;
  /** The name of the connection, for `CLIENT LIST`. */
  name?: string | undefined;
}

/** Error replies that more attempts will not change until somebody mends the configuration. */
const REFUSED = new RegExp(
  "^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR AUTH|ERR Client sent AUTH|ERR DB index|ERR invalid DB|" +
    "ERR unknown command .AUTH)",
  "i",
);

/**
 * After so many milliseconds without an answer, another attempt is made beside the first: it may have met a server that
 * was just starting.
 */
const SECOND_AFTER = 300;

/**
 * Opens one connection and logs in. An attempt that is given up leaves nothing open.
 *
 * @throws {ConfigError} If the server refuses the login, or there is no permission to reach it.
 */
export async function openConnection(address: RedisAddress, options: OpenOptions): Promise<Connection> {
  const stop = new AbortController();
  const giveUp = (reason: "timeout" | "closed") => stop.abort(new UnavailableError("connect", reason));
  const timer = setTimeout(giveUp, options.timeout, "timeout");
  unref(timer);
  const stopped = () => giveUp("closed");
  options.signal.addEventListener("abort", stopped);
  if (options.signal.aborted) stopped();
  const attempts: Promise<Connection>[] = [];
  const begin = () => {
    const made = attempt(address, options.name, stop.signal);
    made.catch(() => {}); // the one that counts says so
    attempts.push(made);
    return made;
  };
  try {
    return await race(begin);
  } catch (error) {
    throw await explained(address, error, options.signal);
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", stopped);
    stop.abort(); // the attempt that was not the first to succeed
    await Promise.allSettled(attempts); // nothing is left of it
  }
}

/** Makes an attempt, and another beside it when that takes long. */
async function race(begin: () => Promise<Connection>): Promise<Connection> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, SECOND_AFTER, undefined);
  unref(timer);
  const first = begin();
  const ready = await Promise.race([first, late]).finally(() => clearTimeout(timer));
  if (ready) return ready;
  const second = begin();
  // When one fails, it is up to the other; what the first says counts.
  const other = (error: unknown): Promise<Connection> => second.catch(() => Promise.reject(error));
  const connection = await Promise.race([first.catch(other), second.catch(() => first)]);
  for (const each of [first, second]) each.then((one) => one === connection || one.close(undefined), () => {});
  return connection;
}

async function attempt(address: RedisAddress, name: string | undefined, signal: AbortSignal): Promise<Connection> {
  const connection = new Connection(await dial(address, signal));
  const stop = () => connection.close(signal.reason);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    await login(connection, address, name);
    return connection;
  } catch (error) {
    connection.close(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Logs in by one write; the first command that is refused says why. */
async function login(
  connection: Connection,
  { username, password, db }: RedisAddress,
  name: string | undefined,
): Promise<void> {
  const commands: RedisCommand[] = [];
  if (password !== undefined) commands.push({ name: "AUTH", args: username ? [username, password] : [password] });
  if (db) commands.push({ name: "SELECT", args: [db] });
  commands.push({ name: "PING", args: [] });
  // Whoever may not give a name does without.
  const all = name === undefined ? commands : [...commands, { name: "CLIENT", args: ["SETNAME", name] }];
  const replies: RedisReply[] = [];
  const refusal = () =>
    replies.slice(0, commands.length).find((reply) => reply instanceof RedisError && !canStillRead(reply));
  await connection.send(all, replies).catch((error) => Promise.reject(refusal() ?? error)); // it may refuse and hang up
  const refused = refusal();
  if (refused) throw refused;
}

/** The failure as it is told. */
async function explained(address: RedisAddress, error: unknown, signal: AbortSignal): Promise<unknown> {
  if (error instanceof RedisError && REFUSED.test(error.message)) {
    const wanted = `a login that ${endpointText(address)} accepts`;
    return new ConfigError("the Redis credentials or database", wanted, `its reply "${error.message}"`, {
      cause: error,
    });
  }
  // No attempt will succeed, so that is no outage.
  if (error instanceof Error && error.name === "NotCapable") {
    const { hostname, port, path } = address;
    const wanted = path === undefined
      ? `--allow-net=${hostname}:${port}`
      : `--allow-net=unix:${path} --allow-read=${path} --allow-write=${path}`;
    return new ConfigError("the Redis server", wanted, "no permission to reach it", { cause: error });
  }
  return await mismatchOf(address, error, signal) ?? error;
}
