import type { RedisReply } from "../client.ts";
import { decoder } from "../../util/utf8.ts";

/** How many hash slots a cluster has. */
export const SLOTS = 16_384;

/** Where a node is reached. */
export interface NodeAddress {
  /** The host name or the IP address. */
  readonly host: string;
  /** The port. */
  readonly port: number;
}

/** A range of slots and who owns it. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly owner: NodeAddress;
}

/**
 * Reads the reply to CLUSTER SLOTS.
 *
 * @param reply The reply.
 * @param asked Who was asked: a node that does not know its own address means itself.
 * @returns The ranges; nothing if it is no such reply, or nobody owns a slot.
 */
export function readSlots(reply: unknown, asked: NodeAddress): SlotRange[] | undefined {
  if (!Array.isArray(reply)) return undefined;
  const ranges: SlotRange[] = [];
  for (const range of reply as RedisReply[]) {
    if (!Array.isArray(range)) return undefined;
    const [first, last, owner] = range;
    if (typeof first !== "number" || typeof last !== "number" || !Array.isArray(owner)) return undefined;
    const [name, port, , details] = owner;
    // "?" stands for a name that the node does not know: where addresses are told beside names, that is used.
    const host = textOf(name) === "?" ? addressIn(details) : textOf(name);
    // One that has lost its name with its disk is where nobody knows.
    if (host === undefined || typeof port !== "number" || port === 0) continue;
    ranges.push({ first, last, owner: { host: host === "" ? asked.host : host, port } });
  }
  return ranges.length === 0 ? undefined : ranges;
}

function textOf(value: RedisReply | undefined): string {
  return value instanceof Uint8Array ? decoder.decode(value) : value === null ? "" : String(value);
}

/** The address in what a node is told with besides. */
function addressIn(details: RedisReply | undefined): string | undefined {
  const fields = Array.isArray(details) ? details.map(textOf) : [];
  const at = fields.findIndex((name, i) => i % 2 === 0 && name === "ip");
  return at < 0 ? undefined : fields[at + 1] || undefined;
}

/** The target of `MOVED 3999 127.0.0.1:6381` and `ASK …`; nothing if the message is no such. */
export function readTarget(message: string): { slot: number; host: string; port: number } | undefined {
  const [, slot, host, port] = /^(?:MOVED|ASK) (\d+) (.*):(\d+)$/.exec(message.trim()) ?? [];
  if (slot === undefined || host === undefined || host === "?" || !(Number(slot) < SLOTS)) return undefined;
  return { slot: Number(slot), host, port: Number(port) };
}

/** The name of a node. */
export function nodeName({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}
