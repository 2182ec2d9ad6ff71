import { type MessageHeaders, readHeaders } from "../util/message_headers.ts";
import { answered } from "../util/answered.ts";
import { describe, describeKind, messageOf } from "../util/describe.ts";
import { decoder } from "../util/utf8.ts";
import type { Serializer } from "./serializer.ts";
import { isThenable, type SchemaIssue, type StandardSchema, validate } from "./standard_schema.ts";

/** What came of a message. */
export type ReadMessage<Value> =
  | { readonly value: Value; readonly headers?: MessageHeaders }
  /** It cannot be read, or does not fit the schema. */
  | { readonly issues: readonly string[] };

/** The formats of messages: without headers, and with such. */
const PLAIN = 1;
const WITH_HEADERS = 2;
const HEAD = 2;
/** The length of the headers, in front of them. */
const LENGTH = 2;
const encoder = new TextEncoder();

/**
 * Turns values into messages and back: a version, the mark of the serializer, headers if there are any (their length in
 * two bytes, and JSON), and what the serializer wrote.
 */
export class MessageCodec {
  readonly #serializer: Serializer;
  readonly #id: number;

  /**
   * Creates a codec.
   *
   * @param serializer How values are written.
   * @param action What fails if it is none, as in "make channels".
   * @throws {TypeError | RangeError} If it cannot be used.
   */
  constructor(serializer: Serializer, action: string) {
    if (typeof serializer?.serialize !== "function" || typeof serializer.deserialize !== "function") {
      const wanted = 'wanted "serializer" with serialize() and deserialize()';
      throw new TypeError(`Cannot ${action}: ${wanted}, got ${describe(serializer)}`);
    }
    const { id = 0 } = serializer;
    if (!Number.isInteger(id) || id < 0 || id > 255) {
      throw new RangeError(`Cannot ${action}: wanted "serializer.id" from 0 to 255, got ${describe(id)}`);
    }
    this.#serializer = serializer;
    this.#id = id;
  }

  /**
   * Writes a value.
   *
   * @param value Anything that the serializer takes.
   * @param action What is attempted, as in 'publish on "orders"'.
   * @param maxBytes How long the message may be.
   * @param headers What travels with it.
   * @throws {TypeError | RangeError} If it cannot be written, or is longer.
   */
  encode(value: unknown, action: string, maxBytes: number, headers?: MessageHeaders): Uint8Array {
    let written: unknown;
    try {
      written = this.#serializer.serialize(value);
    } catch (cause) {
      // The serializer says it of the cache, which has no part in it.
      const [, problem] = /^Cannot cache value: (wanted .+)$/s.exec(messageOf(cause)) ?? [];
      const wanted = problem ?? `wanted a value that can be written, got ${messageOf(cause)}`;
      throw new TypeError(`Cannot ${action}: ${wanted}`, { cause });
    }
    if (typeof written === "string") written = encoder.encode(written);
    if (!(written instanceof Uint8Array)) {
      const wanted = "wanted a string or Uint8Array from the serializer";
      throw new TypeError(`Cannot ${action}: ${wanted}, got ${describeKind(written)}`);
    }
    if (written.length > maxBytes) {
      throw new RangeError(`Cannot ${action}: wanted at most ${maxBytes} bytes, got ${written.length} bytes`);
    }
    const extra = headers && encoder.encode(JSON.stringify(headers));
    const start = HEAD + (extra ? LENGTH + extra.length : 0);
    const bytes = new Uint8Array(start + written.length);
    bytes[0] = extra ? WITH_HEADERS : PLAIN;
    bytes[1] = this.#id;
    if (extra) {
      new DataView(bytes.buffer).setUint16(HEAD, extra.length);
      bytes.set(extra, HEAD + LENGTH);
    }
    bytes.set(written, start);
    return bytes;
  }

  /**
   * Reads a message, and checks it; at once, where nothing has to be waited for. Never throws: whoever may write there
   * may have put anything.
   */
  decode<Value>(
    bytes: Uint8Array,
    schema: StandardSchema<unknown, Value> | undefined,
  ): ReadMessage<Value> | Promise<ReadMessage<Value>> {
    let value: unknown;
    const [version, id] = bytes;
    const extra = version === WITH_HEADERS ? headersIn(bytes) : undefined;
    const headers = extra?.headers && { headers: extra.headers };
    try {
      const known = version === PLAIN || extra !== undefined;
      if (!known || id !== this.#id) throw new Error("It was written by something else");
      value = this.#serializer.deserialize(bytes.slice(extra ? extra.end : HEAD));
      if (isThenable(value)) return this.#later(value, schema, headers);
    } catch (error) {
      return unread(error);
    }
    return schema ? checked(value, schema, headers) : { value: value as Value, ...headers };
  }

  async #later<Value>(
    written: PromiseLike<unknown>,
    schema: StandardSchema<unknown, Value> | undefined,
    headers: Headed,
  ): Promise<ReadMessage<Value>> {
    let value: unknown;
    try {
      value = await answered(written, "deserialize()");
    } catch (error) {
      return unread(error);
    }
    return schema ? await checked(value, schema, headers) : { value: value as Value, ...headers };
  }
}

type Headed = { readonly headers: MessageHeaders } | undefined;

function unread(error: unknown): { issues: string[] } {
  return { issues: [`It cannot be read: ${messageOf(error)}`] };
}

async function checked<Value>(
  value: unknown,
  schema: StandardSchema<unknown, Value>,
  headers: Headed,
): Promise<ReadMessage<Value>> {
  const result = await validate(schema, value);
  return result.issues === undefined ? { value: result.value, ...headers } : { issues: result.issues.map(textOf) };
}

/** The headers of a message, and where they end; `undefined` if there is no room for them. */
function headersIn(bytes: Uint8Array): { headers: MessageHeaders | undefined; end: number } | undefined {
  if (bytes.length < HEAD + LENGTH) return undefined;
  const end = HEAD + LENGTH + new DataView(bytes.buffer, bytes.byteOffset).getUint16(HEAD);
  if (end > bytes.length) return undefined;
  try {
    return { headers: readHeaders(JSON.parse(decoder.decode(bytes.subarray(HEAD + LENGTH, end)))), end };
  } catch {
    return { headers: undefined, end }; // the value may be fine all the same
  }
}

function textOf({ message, path }: SchemaIssue): string {
  const at = path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  return at ? `${at}: ${message}` : message;
}
