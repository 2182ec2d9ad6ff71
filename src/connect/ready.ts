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
  const causes = new Map<CheckedServer, unknown>();
  const left = new Set(servers);
  const giveUp = () => {
    const known = [...left].find((server) => causes.has(server) || server.batch.diagnosis.problem !== undefined);
    const server = known ?? [...left][0];
    late.abort(timeout(server, (server && causes.get(server)) ?? server?.batch.diagnosis.problem));
  };
  const timer = milliseconds > 0 ? setTimeout(giveUp, milliseconds) : undefined;
  try {
    const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    await Promise.all(servers.map(async (server) => {
      await works(server, either, (error) => causes.set(server, error));
      left.delete(server);
    }));
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
function timeout(server: CheckedServer | undefined, cause: unknown): UnavailableError {
  const address = server?.batch.client.address;
  if (cause === undefined) return new UnavailableError(OPERATION, "timeout", { address });
  const silent = cause instanceof UnavailableError && cause.cause === undefined; // says no more than that
  const last = silent ? undefined : connectionText(cause);
  return new UnavailableError(OPERATION, "timeout", { address, cause, last });
}

/** The reply behind an error, or the error. */
function refusalIn(error: unknown): unknown {
  return error instanceof UnavailableError && error.reason === "refused" ? error.cause : error;
}

/** What waiting does not mend. */
function refusal(error: unknown, address: string | undefined): unknown {
  if (error instanceof UnavailableError) {
    return new UnavailableError(OPERATION, error.reason, { address, cause: error.cause });
  }
  return error instanceof RedisError ? new UnavailableError(OPERATION, "refused", { address, cause: error }) : error;
}

async function works(
  { batch, probes }: CheckedServer,
  signal: AbortSignal,
  failed: (cause: unknown) => void,
): Promise<void> {
  const { address } = batch.client;
  while (true) {
    signal.throwIfAborted();
    const errors = await probes.run(signal, true);
    if (errors.length === 0) {
      const missing = await probes.rights.missing(signal);
      if (missing) throw refusal(missing, address);
      return;
    }
    const lasting = errors.find((error) => !isPassing(refusalIn(error)));
    if (lasting !== undefined) throw refusal(lasting, address);
    const [error] = errors;
    failed(error instanceof UnavailableError ? error.cause ?? error : error);
    await delay(PAUSE, signal);
  }
}
