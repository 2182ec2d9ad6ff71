import { FORMAT, read, richSerializer, writeRich } from "../values/serializer.ts";
import { describe, describeKind } from "../util/describe.ts";
import type { SessionPatch, StoredSession } from "./store.ts";

/** Most fields of one session: more do not fit into one call of a script. */
export const MAX_FIELDS = 1000;
const MAX_NAME = 256;

const encoder = new TextEncoder();

/** Encodes data; fields that are `undefined` are left out. */
export function encodeFields(data: unknown, action: string): Map<string, Uint8Array> {
  return encodePatch(data, action).set as Map<string, Uint8Array>;
}

/**
 * Encodes a change: what is `undefined` is to be removed.
 *
 * @throws {TypeError} If it is no plain object, or a field cannot be stored.
 * @throws {RangeError} If there are too many fields, or the name of one is too long.
 */
export function encodePatch(patch: unknown, action: string): SessionPatch {
  const prototype: unknown = typeof patch === "object" && patch !== null ? Object.getPrototypeOf(patch) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(
      `Cannot ${action}: wanted an object with the fields of the session, got ${describeKind(patch)}`,
    );
  }
  const set = new Map<string, Uint8Array>();
  const remove: string[] = [];
  const entries = Object.entries(patch as object);
  if (entries.length > MAX_FIELDS) {
    throw new RangeError(`Cannot ${action}: wanted at most ${MAX_FIELDS} fields, got ${entries.length}`);
  }
  for (const [name, value] of entries) {
    if (name === "__proto__") throw new TypeError(`Cannot ${action}: wanted plain data, got the key "__proto__"`);
    if (name.length > MAX_NAME || !name.isWellFormed()) {
      throw new RangeError(
        `Cannot ${action}: wanted names of up to ${MAX_NAME} characters of well-formed text, got ${describe(name)}`,
      );
    }
    if (value === undefined) remove.push(name);
    else set.set(name, encode(value, name));
  }
  return { set, remove };
}

/** The fields that there are. */
export function withoutUndefined(patch: object): object {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}

/** How much a session holds. */
export interface DataSize {
  /** Bytes of the names and of the values as they are stored. */
  readonly bytes: number;
  /** How many fields. */
  readonly fields: number;
}

/** How much data encoded fields are. */
export function sizeOfFields(fields: ReadonlyMap<string, Uint8Array>): DataSize {
  let bytes = 0;
  for (const [name, value] of fields) bytes += encoder.encode(name).length + value.length;
  return { bytes, fields: fields.size };
}

/**
 * Refuses more data than a session may have. One that has more already may keep or shrink it.
 *
 * @throws {RangeError} With the bound and the number.
 */
export function assertSize(after: DataSize, before: DataSize, maxBytes: number, action: string): void {
  if (maxBytes === 0) return;
  if (after.fields > MAX_FIELDS && after.fields > before.fields) throw tooMuch(action, after, maxBytes);
  if (after.bytes > maxBytes && after.bytes > before.bytes) throw tooMuch(action, after, maxBytes);
}

/** The error for more data than a session may have. */
export function tooMuch(action: string, { bytes, fields }: DataSize, maxBytes: number): RangeError {
  const [most, got] = fields > MAX_FIELDS
    ? [`${MAX_FIELDS} fields`, `${fields}`]
    : [`${maxBytes} bytes of data ("maxBytes")`, `${bytes}`];
  return new RangeError(`Cannot ${action}: wanted at most ${most}, got ${got}`);
}

/**
 * Decodes data, with the fields in the order of their names.
 *
 * @throws {Error} If a field cannot be read.
 */
export function decodeFields(
  { fields, json, takeJson }: Pick<StoredSession, "fields" | "json" | "takeJson">,
): Record<string, unknown> {
  const data = (json ? takeJson?.() ?? read(FORMAT.json, json) : {}) as Record<string, unknown>;
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new TypeError(`Cannot read session: wanted an object with its fields, got ${describeKind(data)}`);
  }
  for (const [name, bytes] of fields) {
    if (name === "__proto__") throw new Error('Cannot read session: wanted plain data, got the key "__proto__"');
    data[name] = richSerializer.deserialize(bytes);
  }
  return ordered(data);
}

/** The fields by their names: a hash of Redis has no order of its own, and each store gives the same. */
function ordered(data: Record<string, unknown>): Record<string, unknown> {
  const names = Object.keys(data);
  if (names.every((name, i) => i === 0 || names[i - 1]! <= name)) return data;
  return Object.fromEntries(names.sort().map((name) => [name, data[name]]));
}

function encode(value: unknown, name: string): Uint8Array {
  const { format, body } = writeField(value, `the field ${describe(name)}`);
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const stored = new Uint8Array(bytes.length + 1);
  stored[0] = format;
  stored.set(bytes, 1);
  return stored;
}

function writeField(value: unknown, what: string): ReturnType<typeof writeRich> {
  try {
    return writeRich(value, what);
  } catch (error) {
    // It is not cached.
    if (error instanceof Error) error.message = error.message.replace(/^Cannot cache /, "Cannot store ");
    throw error;
  }
}
