import { ConfigError, RedisError, UnavailableError } from "../../errors.ts";
import { unref } from "../batch.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { addressText } from "./address_text.ts";
import type { DbRedisLike } from "./db_redis_like.ts";
import type { MessageListener, Subscriber } from "./subscriptions.ts";

/** Where a Redis server is and how to log in. */
export interface RedisAddress {
  /** Host name or address. */
  hostname: string;
  /** TCP port. */
  port: number;
  /** ACL user. */
  username?: string | undefined;
  /** Password. */
  password?: string | undefined;
  /** Database number. @default {0} */
  db?: number | undefined;
  /** Encrypts the connection; certificates in PEM form may be given. @default {false} */
  tls?: boolean | { caCerts?: string[] } | undefined;
}

interface DbRedisModule {
  createLazyClient(options: Record<string, unknown>): DbRedisLike;
}

/** Error replies that more attempts will not change until somebody mends the configuration. */
const REFUSED =
  /^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR AUTH|ERR Client sent AUTH|ERR DB index|ERR invalid DB|ERR unknown command .AUTH)/i;

/** How it shows that a server has closed a connection without a word. */
const CLOSED = /ConnectionReset|EOFError|UnexpectedEof|BrokenPipe|ECONNRESET|reset by peer|closed/i;

/** How a connection is opened. */
export interface OpenOptions {
  /** Milliseconds after which the attempt is given up. */
  timeout: number;
  /** Gives it up before. */
  signal: AbortSignal;
  /** The name of the connection, for `CLIENT LIST`. */
  name?: string | undefined;
}

/** Opens one connection and logs in. An attempt that is given up leaves nothing open. */
export async function openDbRedis(address: RedisAddress, options: OpenOptions): Promise<DbRedisLike> {
  const { createLazyClient } = await load();
  const { hostname, port, username, password, db, tls } = address;
  const { timeout, signal: stop, name } = options;
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const dial = new AbortController();
  const giveUp = (reason: "timeout" | "closed") => {
    const error = new UnavailableError("connect", reason);
    reject(error);
    dial.abort(error);
  };
  let dialled = false;
  const redis = createLazyClient({
    hostname,
    port,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(db && { db }),
    ...(tls && { tls: true }),
    ...(typeof tls === "object" && tls.caCerts && { caCerts: tls.caCerts }),
    // Its own retries would send commands twice and hold the queue up; reconnecting is done here.
    maxRetryCount: 0,
    noDelay: true,
    // Asked for before it dials. A subscription would dial again when it is lost, and not say that it missed something.
    signal: () => {
      if (dialled) throw new UnavailableError("connect twice", "closed");
      dialled = true;
      return dial.signal;
    },
  });
  const timer = setTimeout(giveUp, timeout, "timeout");
  unref(timer);
  const stopped = () => giveUp("closed");
  stop.addEventListener("abort", stopped);
  if (stop.aborted) stopped();
  const ready = login(redis, name);
  try {
    await Promise.race([ready, givenUp]);
    return redis;
  } catch (error) {
    // Dialling cannot be cut short on every version, so a connection that comes too late is closed when it comes.
    const close = () => closeQuietly(redis);
    ready.then(close, close);
    close();
    const reply = replyOf(error);
    if (reply && REFUSED.test(reply.message)) {
      throw new ConfigError(
        "the Redis credentials or database",
        `a login that ${addressText(address)} accepts`,
        `its reply "${reply.message}"`,
        { cause: reply },
      );
    }
    // No attempt will succeed, so that is no outage.
    if (error instanceof Error && error.name === "NotCapable") {
      throw new ConfigError("the Redis server", `--allow-net=${hostname}:${port}`, "no permission to reach it", {
        cause: error,
      });
    }
    throw reply ?? await mismatched(address, error, stop) ?? error;
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", stopped);
  }
}

/** Opens one connection and subscribes on it. It is not made again when it is lost: messages would be missed without a sign. */
export async function openSubscriber(
  address: RedisAddress,
  options: OpenOptions,
  channels: readonly string[],
  message: MessageListener,
): Promise<Subscriber> {
  const redis = await openDbRedis(address, options);
  const close = () => closeQuietly(redis);
  try {
    options.signal.throwIfAborted();
    const subscription = await redis.subscribe(...channels);
    const read = async () => {
      for await (const { channel, message: payload } of subscription.receiveBuffers()) message(channel, payload);
    };
    return {
      lost: read().catch(() => {}).finally(close),
      add: (more) => subscription.subscribe(...more),
      remove: (some) => subscription.unsubscribe(...some),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** How long a port is given to show whether it speaks TLS, in milliseconds. */
const PROBE_TIMEOUT = 300;

/**
 * Finds out whether TLS is spoken to a port that does not speak it, or the other way round: a server does not say so, but keeps
 * silent or closes the connection. Nothing but a PING is sent, no login.
 */
async function mismatched(
  { hostname, port, tls }: RedisAddress,
  error: unknown,
  stop: AbortSignal,
): Promise<Error | undefined> {
  const silent = error instanceof UnavailableError && error.reason === "timeout";
  if (stop.aborted || (tls ? !silent : silent || !CLOSED.test(String(error)))) return undefined;
  const { createLazyClient } = await load();
  const redis = createLazyClient({ hostname, port, tls: !tls, maxRetryCount: 0 });
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, PROBE_TIMEOUT, false);
  unref(timer);
  const end = () => resolve(false);
  stop.addEventListener("abort", end);
  const answer = redis.sendCommand("PING").then(() => true, (failure) => {
    return replyOf(failure) !== undefined || (!tls && /certificate|fatal alert/i.test(String(failure)));
  });
  const close = () => closeQuietly(redis);
  answer.then(close);
  const speaks = await Promise.race([answer, late]);
  clearTimeout(timer);
  stop.removeEventListener("abort", end);
  close();
  if (!speaks) return undefined;
  return tls
    ? new Error("That port does not speak TLS: say redis://, without tls", { cause: error })
    : new Error("That port speaks TLS: say rediss://, or tls: true", { cause: error });
}

async function login(redis: DbRedisLike, name: string | undefined): Promise<void> {
  await redis.sendCommand("PING");
  // Whoever may not give a name does without.
  if (name !== undefined) await redis.sendCommand("CLIENT", ["SETNAME", name]).catch(() => {});
}

/** The error reply that an error stands for. The original may quote a password, so it is not passed on. */
function replyOf(error: unknown): RedisError | undefined {
  const text = error instanceof Error ? /^-([A-Z].*)$/s.exec(error.message)?.[1] : undefined;
  return text === undefined ? undefined : new RedisError(text.trimEnd());
}

async function load(): Promise<DbRedisModule> {
  try {
    return await import("@db/redis") as unknown as DbRedisModule;
  } catch (cause) {
    throw new ConfigError(
      "the Redis client",
      "jsr:@db/redis to load; allow network access to jsr.io, or pass a client of your own with connect({ client })",
      cause instanceof Error ? cause.message : String(cause),
      { cause },
    );
  }
}

/** Closes a connection in whatever state it is. */
export function closeQuietly(redis: DbRedisLike): void {
  try {
    redis.close();
  } catch {
    // It never was open, or is closed already.
  }
}
