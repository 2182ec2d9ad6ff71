import { describe } from "../util/describe.ts";
import type { Encoded } from "./codec.ts";

/**
 * Flag of an entry whose payload begins with the version of the code that wrote it: its length in one byte, then its
 * text.
 */
const VERSIONED = 0x10;
/** Flags that say what else there is; those of a later format may have others. */
const KINDS = 0x70;
/** Most bytes of a version. */
const MOST = 64;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The text of a version.
 *
 * @throws {TypeError} If it is neither a number nor text.
 * @throws {RangeError} If it is too long, or empty.
 */
export function versionOf(version: unknown): string | undefined {
  if (version === undefined) return undefined;
  const isNumber = typeof version === "number" && Number.isFinite(version);
  if (!isNumber && typeof version !== "string") {
    throw new TypeError(`Cannot use "version": wanted a number or text, got ${describe(version)}`);
  }
  const text = String(version);
  if (text === "" || encoder.encode(text).length > MOST) {
    throw new RangeError(`Cannot use "version": wanted 1 to ${MOST} bytes, got ${describe(version)}`);
  }
  return text;
}

/** Whether an entry has a version; most have none. */
export function isVersioned(flags: number): boolean {
  return (flags & KINDS) === VERSIONED;
}

/** The version of an entry. */
export function versionIn({ payload, flags }: Encoded): string | undefined {
  return isVersioned(flags) ? decoder.decode(payload.subarray(1, 1 + payload[0]!)) : undefined;
}

/** Puts a version in front of a payload. */
export function withVersion(encoded: Encoded, version: string | undefined): Encoded {
  if (version === undefined) return encoded;
  const text = encoder.encode(version);
  const payload = new Uint8Array(1 + text.length + encoded.payload.length);
  payload[0] = text.length;
  payload.set(text, 1);
  payload.set(encoded.payload, 1 + text.length);
  return { payload, flags: encoded.flags | VERSIONED };
}

/** Takes the version off a payload. */
export function withoutVersion({ payload, flags }: Encoded): Encoded {
  return { payload: payload.subarray(1 + payload[0]!), flags: flags & ~VERSIONED };
}
