import type { EventListener, LarderEvent, ServerEvent } from "../observe/events.ts";
import { RedisError } from "../errors.ts";
import { connectionText } from "../redis/connection_text.ts";

/** What a server is said to be on the console. */
interface Outage {
  /** The reasons that were told. */
  readonly told: Set<string>;
  /** Since when nothing is told of it, in milliseconds, as the server comes and goes. */
  untoldSince?: number | undefined;
}

/** What was said of a server that is back. */
interface Return {
  /** When, in milliseconds. */
  at: number;
  /** How often it was lost within a minute of its return, one after the other. */
  relapses: number;
}

/** For how long one that is back may be lost again as one that comes and goes, in milliseconds. */
const RELAPSE_MS = 60_000;
/** From which relapse on it is one. */
const MANY = 2;

/**
 * Makes a listener for those who have none: it tells on the console when a server cannot be reached, is lost, is back,
 * or refuses what is needed, each once.
 *
 * @param print Takes a line. By default it goes to the console as a warning.
 * @param now Milliseconds that never go back.
 * @returns The listener.
 */
export function connectionReport(
  print: (line: string) => void = warn,
  now: () => number = () => performance.now(),
): EventListener {
  const outages = new Map<string, Outage>();
  const returns = new Map<string, Return>();
  return (event) => {
    switch (event.type) {
      case "redis.connected":
        back(event);
        break;
      case "redis.disconnected":
        lost(event);
        break;
      case "warning":
        print(`Larder: ${event.message}.`);
        break;
      case "redis.refused":
        print(
          `Larder: ${nameOf(event)} refuses what is needed to ${event.operation}: ${sentence(event.error)} ${
            event.code === "WRONGTYPE"
              ? "Somebody else uses keys of this namespace."
              : "Services get along without it as documented."
          }`,
        );
    }
  };

  function back(event: ServerEvent): void {
    const key = keyOf(event);
    const outage = outages.get(key);
    if (outage === undefined) return;
    outages.delete(key);
    returns.set(key, { at: now(), relapses: returns.get(key)?.relapses ?? 0 });
    if (outage.untoldSince === undefined) print(`Larder: ${nameOf(event)} is back.`);
  }

  /** Whether a server that is lost has come and gone too often to tell each time. */
  function comesAndGoes(event: ServerEvent, reason: string): boolean {
    const last = returns.get(keyOf(event));
    if (last === undefined) return false;
    last.relapses = now() - last.at < RELAPSE_MS ? last.relapses + 1 : 0;
    if (last.relapses === MANY) {
      print(
        `Larder: ${nameOf(event)} comes and goes: ${reason} Told again when it is away for a minute, or lost after ` +
          "one; services get along without it as documented.",
      );
    }
    return last.relapses >= MANY;
  }

  function lost(event: Extract<LarderEvent, { type: "redis.disconnected" }>): void {
    const { error } = event;
    // Larder looks for another server itself where one refuses, and has said so.
    if (error === undefined && event.reason instanceof RedisError) return;
    const reason = sentence(error ?? event.reason ?? "the connection ended");
    const known = outages.get(keyOf(event));
    const kind = kindOf(reason);
    const overdue = known?.untoldSince !== undefined && now() - known.untoldSince >= RELAPSE_MS;
    if (known?.told.has(kind) && !overdue) return;
    const outage = known ?? { told: new Set() };
    outages.set(keyOf(event), outage);
    outage.told.add(kind);
    outage.untoldSince = known === undefined && kind === "away" && comesAndGoes(event, reason) ? now() : undefined;
    if (outage.untoldSince !== undefined) return;
    const what = error === undefined ? `${nameOf(event)} was lost` : `${nameOf(event)} cannot be reached`;
    print(`Larder: ${what}: ${reason} Attempts go on; until then services get along without it as documented.`);
  }
}

/**
 * A server that is gone is gone: how attempts to reach it fail may change. What somebody has to mend is told in any
 * case.
 */
function kindOf(reason: string): string {
  const lasting = /certificate|TLS|UnknownIssuer|no such host|WRONGPASS|NOAUTH|NOPERM|DENIED|protocol|\bERR |permission/
    .test(reason);
  return lasting ? reason.replace(/\d{6,}/g, "") : "away"; // times in it differ each time
}

function sentence(error: unknown): string {
  return connectionText(error).replace(/\.?$/, ".");
}

function keyOf({ server = "all", address = "" }: ServerEvent): string {
  return `${server} ${address}`;
}

function nameOf({ server, address }: ServerEvent): string {
  const name = server === "cache" ? "The Redis of the cache" : "Redis";
  return address === undefined ? name : `${name} at ${address}`;
}

function warn(line: string): void {
  // deno-lint-ignore no-console -- for those who have not said who is to be told
  console.warn(line);
}
