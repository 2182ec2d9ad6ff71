import type { RedisReply } from "../../redis/client.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import { isName } from "../../util/keys.ts";
import { decoder } from "../../util/utf8.ts";
import { type StoredSession, UnreadableSessionError } from "../store.ts";
import { readParts, type ReplyPart } from "./parts.ts";

/** Flags of a session in a reply. */
const TOUCHED = 1;
const CONFLICT = 2;
/** What stands for none of them. */
export const NO_FLAGS: Uint8Array = new Uint8Array(1);
const VERSION = 1;
const HEAD = 50;

/** Text as UTF-8, or what UTF-8 was. */
export const textOf = (part: ReplyPart | undefined): string => part instanceof Uint8Array ? decoder.decode(part) : "";

function nameOf(bytes: Uint8Array, from: number, end: number): string {
  let name = "";
  for (let i = from; i < end; i++) {
    const unit = bytes[i]!;
    if (unit >= 0x80) return decoder.decode(bytes.subarray(from, end));
    name += String.fromCharCode(unit);
  }
  return name;
}

/** Where the name of a field begins in its value. */
const NAME = 3;

/** The value of a field of the data, as it is stored: with the name. */
export function writeField(name: string, payload: Uint8Array): Uint8Array {
  const text = encoder.encode(name);
  const value = new Uint8Array(NAME + text.length + payload.length);
  value.set([0x64, text.length >> 8, text.length & 255]);
  value.set(text, NAME);
  value.set(payload, NAME + text.length);
  return value;
}

/**
 * Reads what a script tells of a session: its values and the flags.
 *
 * @throws {UnreadableSessionError} If that makes no sense.
 */
export function readSession(
  handle: string,
  parts: readonly ReplyPart[],
  from: number = 0,
): { session: StoredSession; conflict: boolean } {
  const flags = parts.at(-1);
  const found: Found = {
    head: undefined,
    json: undefined,
    handle,
    userId: "",
    device: "",
    persistent: undefined,
    tags: NO_TAGS,
    fields: new Map(),
  };
  for (let i = from; i < parts.length - 1; i++) take(found, parts[i]!, true);
  const { head, json, userId, device, persistent, tags, fields } = found;
  if (!head || head.length !== HEAD || head[1] !== VERSION || !(flags instanceof Uint8Array)) throw senseless();
  const view = new DataView(head.buffer, head.byteOffset, HEAD);
  const seen = view.getFloat64(18);
  const last = view.getFloat64(26);
  const idle = view.getFloat64(34);
  const [created, version] = [view.getFloat64(10), view.getFloat64(42)];
  if (![created, seen, last, idle, version].every(isTime)) throw senseless();
  const session: StoredSession = {
    handle: found.handle,
    userId,
    tags,
    device,
    createdAt: created,
    lastSeenAt: seen,
    expiresAt: Math.min(idle > 0 ? seen + idle : Infinity, last > 0 ? last : Infinity),
    persistent,
    idle,
    version,
    fields,
    json,
    touched: (flags[0]! & TOUCHED) !== 0,
  };
  return { session, conflict: (flags[0]! & CONFLICT) !== 0 };
}

/**
 * What a script says in place of a session of a request: `e` = remembered, with nothing in its place, `x` = cannot be
 * read.
 */
export function missingOf(part: ReplyPart): "ended" | "unreadable" | undefined {
  if (!Array.isArray(part) || part.length !== 1) return undefined;
  return textOf(part[0]) === "e" ? "ended" : "unreadable";
}

/** How much data a session would have, where a script refused to change it for that. */
export function sizeOf(part: ReplyPart | undefined): { bytes: number; fields: number } | undefined {
  if (!(part instanceof Uint8Array) || part[0] !== 0x62 || part.length !== 17) return undefined;
  const view = new DataView(part.buffer, part.byteOffset);
  return { bytes: view.getFloat64(1), fields: view.getFloat64(9) };
}

/**
 * The session of a part of a reply, if there is one: its head, the copy of all other values, flags.
 *
 * @throws {UnreadableSessionError} If it is damaged.
 */
export function storedSessionOf(
  handle: string,
  part: ReplyPart | undefined,
): { session: StoredSession; conflict: boolean } | undefined {
  if (part === false) return undefined;
  // What begins otherwise is no copy, and without it this would be a visitor of whom nothing is known.
  if (Array.isArray(part) && part[1] instanceof Uint8Array && part[1][0] === 0x73) return readSession(handle, part);
  throw senseless();
}

/** A session that was removed, from all of its values; nothing if they are damaged. */
export function takenSessionOf(handle: string, part: ReplyPart | undefined): StoredSession | undefined {
  try {
    return Array.isArray(part) ? readSession(handle, part).session : undefined;
  } catch {
    return undefined;
  }
}

/** What the values of a session said so far. */
interface Found {
  head: Uint8Array | undefined;
  json: Uint8Array | undefined;
  handle: string;
  userId: string;
  device: string;
  persistent: boolean | undefined;
  tags: readonly string[];
  readonly fields: Map<string, Uint8Array>;
}

/** Takes a value; `outer` says that it is not one of those in the copy of all of them. */
function take(found: Found, value: ReplyPart, outer: boolean): void {
  if (!(value instanceof Uint8Array)) throw senseless();
  switch (value[0]) {
    case 0x64: { // d
      const end = NAME + (value[1]! << 8 | value[2]!);
      if (!(end <= value.length)) throw senseless();
      found.fields.set(nameOf(value, NAME, end), value.subarray(end));
      break;
    }
    case 0x68: // h
      found.handle = decoder.decode(value.subarray(1));
      break;
    case 0x6a: // j
      found.json = value.subarray(1);
      break;
    case 0x6d: // m
      found.head = value;
      break;
    case 0x70: // p
      found.persistent = value[1] === 0x31;
      break;
    case 0x73: // s
      if (!outer) throw senseless();
      for (const part of readParts(value.subarray(1))) take(found, part, false);
      break;
    case 0x74: // t
      if (value.length > 1) found.tags = readParts(value.subarray(1)).map(nameIn);
      break;
    case 0x75: // u
      found.userId = nameIn(value.subarray(1));
      break;
    case 0x76: // v
      found.device = decoder.decode(value.subarray(1));
  }
}

/** A user or a tag, as they may be called. */
function nameIn(part: ReplyPart): string {
  const name = part instanceof Uint8Array ? nameOf(part, 0, part.length) : "";
  if (!isName(name)) throw senseless();
  return name;
}

/** A count, or a time in milliseconds: from the beginning to the end of what dates can say. */
function isTime(value: number): boolean {
  return value >= 0 && value <= 8.64e15;
}

const NO_TAGS: readonly string[] = Object.freeze([]);

function senseless(): UnreadableSessionError {
  return new UnreadableSessionError("Cannot read session: wanted a record of one, got something else");
}

const encoder = new TextEncoder();

/** Writes tags as a MessagePack array; nothing for no tags. */
export function writeTags(tags: readonly string[]): Uint8Array {
  if (tags.length === 0) return new Uint8Array(0);
  const parts = tags.map((tag) => encoder.encode(tag));
  const bytes = new Uint8Array(parts.reduce((length, part) => length + 3 + part.length, 3));
  bytes.set([0xdc, tags.length >> 8, tags.length & 255]);
  let at = 3;
  for (const part of parts) {
    bytes.set([0xda, part.length >> 8, part.length & 255], at);
    bytes.set(part, at + 3);
    at += 3 + part.length;
  }
  return bytes;
}

/** The parts of a reply that is a string. */
export function parts(reply: RedisReply): ReplyPart[] {
  if (reply instanceof Uint8Array) return readParts(reply);
  throw unreadableReply();
}

/** The numbers of a reply, or of a part of one. */
export function doubles(reply: RedisReply | ReplyPart | undefined, count: number): number[] {
  if (!(reply instanceof Uint8Array) || reply.length !== count * 8) {
    throw unreadableReply();
  }
  const view = new DataView(reply.buffer, reply.byteOffset, reply.length);
  return Array.from({ length: count }, (_, i) => view.getFloat64(i * 8));
}
