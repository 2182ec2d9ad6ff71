import type { EventListener } from "../observe/events.ts";
import type { Codec, Encoded } from "./codec.ts";
import type { StoredEntry } from "./entry.ts";
import { type SchemaIssue, type StandardSchema, validate } from "../values/standard_schema.ts";
import type { StatsCounter } from "./stats.ts";
import { isVersioned, versionIn, withoutVersion, withVersion } from "./version.ts";

/** A value that was read, wrapped because it may be `undefined`; or `undefined` when it is of no use. */
export type Found<T> = { readonly value: T } | undefined;

/** Turns entries into values. What cannot be read or does not fit the schema is a miss and an event, never a throw. */
export class Values {
  readonly codec: Codec;
  readonly #stats: StatsCounter;
  readonly #on: EventListener | undefined;

  constructor(codec: Codec, stats: StatsCounter, on: EventListener | undefined) {
    this.codec = codec;
    this.#stats = stats;
    this.#on = on;
  }

  /**
   * Writes a value; a promise only when it is being compressed.
   *
   * @throws {TypeError | RangeError} If it cannot be stored. Never as a rejection.
   */
  encode(key: string, value: unknown, version: string | undefined): Encoded | Promise<Encoded> {
    const encoded = this.codec.encode(value, JSON.stringify(key));
    if (version === undefined) return encoded;
    return encoded instanceof Promise
      ? encoded.then((encoded) => withVersion(encoded, version))
      : withVersion(encoded, version);
  }

  /** Reads an entry of one version, or of none; a promise only when decoding or the schema takes one. */
  read<T>(
    key: string,
    entry: Pick<StoredEntry, "payload" | "flags" | "takeValue">,
    schema: StandardSchema<unknown, T> | undefined,
    version?: string | undefined,
  ): Found<T> | Promise<Found<T>> {
    if (version !== undefined || isVersioned(entry.flags)) {
      if (versionIn(entry) !== version) return undefined;
      entry = withoutVersion(entry);
    }
    let value = entry.takeValue?.();
    try {
      value ??= this.codec.decode(entry.payload, entry.flags);
    } catch (error) {
      return this.#unreadable(key, error);
    }
    if (value instanceof Promise) {
      return value.then((value) => this.check(key, value, schema), (error) => this.#unreadable(key, error));
    }
    return this.check(key, value, schema);
  }

  /** Checks a value against a schema. */
  check<T>(key: string, value: unknown, schema: StandardSchema<unknown, T> | undefined): Found<T> | Promise<Found<T>> {
    if (!schema) return { value: value as T };
    const result = validate(schema, value);
    if (result instanceof Promise) return result.then((result) => this.#fit(key, result));
    return this.#fit(key, result);
  }

  #fit<T>(key: string, result: { value: T; issues?: undefined } | { issues: readonly SchemaIssue[] }): Found<T> {
    if (result.issues === undefined) return { value: result.value };
    this.#stats.unreadable++;
    this.#on?.({ type: "cache.schema_mismatch", key, issues: result.issues.map(issueText) });
    return undefined;
  }

  #unreadable(key: string, error: unknown): undefined {
    this.#stats.unreadable++;
    this.#on?.({ type: "cache.unreadable", key, error });
    return undefined;
  }
}

/** An issue with its place in the value, for people. */
export function issueText({ message, path }: SchemaIssue): string {
  const at = path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  return at ? `${at}: ${message}` : message;
}
