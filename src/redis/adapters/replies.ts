import { Buffer } from "node:buffer";
import { RedisError } from "../../errors.ts";
import type { RedisArgument, RedisReply } from "../client.ts";
import { decoder } from "../../util/utf8.ts";

const encoder = new TextEncoder();

/**
 * An argument as the clients made for Node.js take it: they write bytes as they are only when they come as a Buffer.
 */
export function toBuffer(argument: RedisArgument): string | number | Buffer {
  if (!(argument instanceof Uint8Array)) return argument;
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
}

/** What a client made for Node.js read with strings as Buffers, as a reply of the port. */
export function toReply(value: unknown, text: boolean): RedisReply {
  if (value instanceof Uint8Array) {
    return text ? decoder.decode(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (typeof value === "number") return value;
  // Numbers that are no integers come in RESP3 as a type of their own, and in RESP2 as strings.
  if (typeof value === "string") return text ? value : encoder.encode(value);
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map((item) => toReply(item, text));
  // Some libraries attach the command with its arguments to an error, which are nobody's business.
  if (value instanceof Error) return new RedisError(value.message);
  // The rest are types of RESP3, in the form that RESP2 has for them.
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Map) return [...value].flat().map((item) => toReply(item, text));
  if (typeof value === "object") return Object.entries(value).flat().map((item) => toReply(item, text));
  return String(value);
}

/** Whether Redis said so, as opposed to the client of `npm:redis`. Its class can only be told by its name. */
export function isErrorReply(error: unknown): error is Error {
  for (let of = error; of instanceof Error; of = Object.getPrototypeOf(of)) {
    if (of.constructor.name === "ErrorReply") return true;
  }
  return false;
}
