import type { EventListener } from "../observe/events.ts";
import { tell } from "./hints.ts";

/** So many at a time are hardly meant. */
const MANY = 16;

/** How many are open in this process, by what they are connected to. */
const open = new Map<string, number>();
const told = new Set<string>();

/**
 * Counts one that has connections of its own, and tells once when very many are open: a service that connects for each
 * request runs out of connections, and coalesces nothing.
 *
 * @param address The host and port of the server.
 * @returns Call it once, when that is closed.
 */
export function countOpen(address: string, on: EventListener | undefined): () => void {
  const count = (open.get(address) ?? 0) + 1;
  open.set(address, count);
  if (count === MANY && !told.has(address)) {
    told.add(address);
    tell(
      on,
      `${count} Larders are open on Redis at ${address} in this process, each with connections of its own: ` +
        "call connect() once, when the process starts, and share what it gives",
    );
  }
  return () => {
    const left = open.get(address)! - 1;
    if (left > 0) open.set(address, left);
    else open.delete(address);
  };
}
