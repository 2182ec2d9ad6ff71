import type { EventListener, LarderEvent, ServerEvent } from "../observe/events.ts";
import { RedisError } from "../errors.ts";
import { connectionText } from "../redis/connection_text.ts";

/** What a server is said to be on the console. */
interface Outage {
  /** The reasons that were told. */
  readonly told: Set<string>;
}

/**
 * Makes a listener for those who have none: it tells on the console when a server cannot be reached, is lost, is back,
 * or refuses what is needed, each once.
 *
 * @param print Takes a line. By default it goes to the console as a warning.
 * @returns The listener.
 */
export function connectionReport(print: (line: string) => void = warn): EventListener {
  const outages = new Map<string, Outage>();
  return (event) => {
    switch (event.type) {
      case "redis.connected":
        if (outages.delete(keyOf(event))) print(`Larder: ${nameOf(event)} is back.`);
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

  function lost(event: Extract<LarderEvent, { type: "redis.disconnected" }>): void {
    const { error } = event;
    // Larder looks for another server itself where one refuses, and has said so.
    if (error === undefined && event.reason instanceof RedisError) return;
    const reason = sentence(error ?? event.reason ?? "the connection ended");
    const known = outages.get(keyOf(event));
    const kind = kindOf(reason);
    if (known?.told.has(kind)) return;
    if (known) known.told.add(kind);
    else outages.set(keyOf(event), { told: new Set([kind]) });
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
