import { delay } from "../util/abort.ts";
import { RedisError, UnavailableError } from "../errors.ts";
import type { CheckedServer } from "./health.ts";
import { connectionText } from "../redis/connection_text.ts";
import { isPassing } from "../redis/refusals.ts";

const OPERATION = "wait for Redis";
/** How long to wait between two looks, in milliseconds. */
const PAUSE = 50;

/**
 * Waits until the services can do on all servers what they have to.
 *
 * @param servers The servers.
 * @param milliseconds How long at most; 0 = for ever.
 * @param signal Ends the wait.
 * @throws {UnavailableError} If that takes too long, or a server refuses what only somebody can mend.
 */
export async function waitUntilReady(
  servers: readonly CheckedServer[],
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const late = new AbortController();
  let cause: unknown;
  const giveUp = () => late.abort(timeout(cause ?? servers.map(({ batch }) => batch.diagnosis.problem).find(Boolean)));
  const timer = milliseconds > 0 ? setTimeout(giveUp, milliseconds) : undefined;
  try {
    const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    await Promise.all(servers.map((server) => works(server, either, (error) => cause = error)));
  } finally {
    clearTimeout(timer);
    late.abort(); // nobody waits for the others any more
  }
}

/** Round trips that the first calls of a process may take, within one deadline. */
const ROUND_TRIPS = 3;

/** What is to be said of a server that is so far away that the first calls do not fit into their deadline. */
export function tooFar({ batch: { roundTrip, commandTimeout } }: CheckedServer): string | undefined {
  if (roundTrip === undefined || ROUND_TRIPS * roundTrip <= commandTimeout) return undefined;
  const wanted = Math.ceil((ROUND_TRIPS + 1) * roundTrip / 100) * 100;
  return `A round trip to Redis takes ${
    Math.round(roundTrip)
  } ms, and the first calls take up to ${ROUND_TRIPS}: wanted ` +
    `a "commandTimeout" of at least "${wanted}ms", got ${commandTimeout} ms`;
}

/** What was refused last says more than that it took too long. */
function timeout(cause: unknown): UnavailableError {
  if (cause === undefined) return new UnavailableError(OPERATION, "timeout");
  const silent = cause instanceof UnavailableError && cause.cause === undefined; // says no more than that
  return new UnavailableError(OPERATION, "timeout", { cause, last: silent ? undefined : connectionText(cause) });
}

/** The reply behind an error, or the error. */
function refusalIn(error: unknown): unknown {
  return error instanceof UnavailableError && error.reason === "refused" ? error.cause : error;
}

/** What waiting does not mend. */
function refusal(error: unknown): unknown {
  if (error instanceof UnavailableError) return new UnavailableError(OPERATION, error.reason, { cause: error.cause });
  return error instanceof RedisError ? new UnavailableError(OPERATION, "refused", { cause: error }) : error;
}

async function works({ probes }: CheckedServer, signal: AbortSignal, failed: (cause: unknown) => void): Promise<void> {
  while (true) {
    signal.throwIfAborted();
    const errors = await probes.run(signal, true);
    if (errors.length === 0) return;
    const lasting = errors.find((error) => !isPassing(refusalIn(error)));
    if (lasting !== undefined) throw refusal(lasting);
    const [error] = errors;
    failed(error instanceof UnavailableError ? error.cause ?? error : error);
    await delay(PAUSE, signal);
  }
}
