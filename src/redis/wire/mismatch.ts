import { RedisError, UnavailableError } from "../../errors.ts";
import { unref } from "../../util/timers.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import type { RedisAddress } from "./address.ts";
import { Connection } from "./connection.ts";
import { dial } from "./dial.ts";
import { ProtocolError } from "./parser.ts";

/** How it shows that a server has closed a connection without a word. */
const CLOSED = /ConnectionReset|UnexpectedEof|BrokenPipe|ECONNRESET|EPIPE|reset by peer|broken pipe|closed/i;

/** How long a port is given to show whether it speaks TLS, in milliseconds. */
const PROBE_TIMEOUT = 300;

/**
 * Finds out whether TLS is spoken to a port that does not speak it, or the other way round: a server does not say so,
 * but keeps silent or closes the connection. Nothing but a PING is sent, no login.
 *
 * @returns The error that says so, if that is the reason.
 */
export async function mismatchOf(address: RedisAddress, error: unknown, stop: AbortSignal): Promise<Error | undefined> {
  const { hostname, port, path, tls } = address;
  if (path !== undefined || stop.aborted || error instanceof RedisError) return undefined;
  const silent = error instanceof UnavailableError && error.reason === "timeout";
  const odd = CLOSED.test(String(error)) || error instanceof ProtocolError; // TLS says that it is none in its own words
  if (tls ? !silent : silent || !odd) return undefined;
  const giveUp = new AbortController();
  const end = () => giveUp.abort(new UnavailableError("connect", "timeout"));
  const timer = setTimeout(end, PROBE_TIMEOUT);
  unref(timer);
  stop.addEventListener("abort", end);
  const speaks = await answers({ hostname, port, tls: !tls }, giveUp.signal);
  clearTimeout(timer);
  stop.removeEventListener("abort", end);
  if (!speaks) return undefined;
  return tls
    ? new Error("That port does not speak TLS: say redis://, without tls", { cause: error })
    : new Error("That port speaks TLS: say rediss://, or tls: true", { cause: error });
}

/** Whether a server answers there, be it with an error; or shows a certificate, be it one that is not trusted. */
async function answers(address: RedisAddress, signal: AbortSignal): Promise<boolean> {
  let connection: Connection | undefined;
  const stop = () => connection?.close(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    connection = new Connection(await dial(address, signal));
    await connection.send([{ name: "PING", args: [] }]);
    return true;
  } catch (failure) {
    return Boolean(address.tls) && /certificate|fatal alert|alert number/i.test(String(failure));
  } finally {
    signal.removeEventListener("abort", stop);
    connection?.close(undefined);
  }
}
