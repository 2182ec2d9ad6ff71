import type { MessageCodec } from "../values/message_codec.ts";
import type { StandardSchema } from "../values/standard_schema.ts";
import { assertId, assertSignalOnly, rangeOf, type ReadOptions } from "./options.ts";
import { itemOf } from "./reader.ts";
import type { StreamStore } from "./store.ts";

/**
 * A message that was given up.
 *
 * @typeParam Value What is added to the stream.
 */
export interface DeadLetter<Value> {
  /** Its id among the dead letters. */
  readonly id: string;
  /** The id that it had in the stream. */
  readonly originalId: string;
  /** The group that gave it up. */
  readonly group: string;
  /** Its key. */
  readonly key: string | undefined;
  /** How often it was tried. */
  readonly attempts: number;
  /** Why it was given up, as text. */
  readonly error: string;
  /** When it was given up. */
  readonly at: Date;
  /** The value; absent where it cannot be read or does not fit the schema. */
  readonly value?: Value;
  /** Why there is no value. */
  readonly issues?: readonly string[];
}

/**
 * Messages of a stream that were given up, of all its groups.
 *
 * @typeParam Value What is added to the stream.
 */
export interface DeadLetters<Value> {
  /** Lists them, the oldest first. */
  list(options?: Omit<ReadOptions, "follow">): AsyncGenerator<DeadLetter<Value>, void, undefined>;
  /**
   * Adds one again, at the end of the stream, for the group that gave it up.
   *
   * @param id Its id among the dead letters.
   * @returns Its new id, or nothing if it is not there.
   */
  putBack(id: string, options?: { signal?: AbortSignal }): Promise<string | undefined>;
  /**
   * Removes some.
   *
   * @param ids Their ids among the dead letters.
   * @returns How many were there.
   */
  remove(ids: readonly string[], options?: { signal?: AbortSignal }): Promise<number>;
}

const PAGE = 100;

/** What dead letters need. */
export interface DeadLettersParts<Value> {
  readonly store: StreamStore;
  readonly stream: string;
  readonly codec: MessageCodec;
  readonly schema: StandardSchema<unknown, Value> | undefined;
}

/** The dead letters of a stream. */
export class StreamDeadLetters<Value> implements DeadLetters<Value> {
  readonly #parts: DeadLettersParts<Value>;

  constructor(parts: DeadLettersParts<Value>) {
    this.#parts = parts;
  }

  list(options: Omit<ReadOptions, "follow"> = {}): AsyncGenerator<DeadLetter<Value>, void, undefined> {
    return this.#list(rangeOf(options), options.signal);
  }

  async putBack(id: string, options: { signal?: AbortSignal } = {}): Promise<string | undefined> {
    const action = "put a dead letter back";
    assertId(id, action);
    assertSignalOnly(options, action);
    return await this.#parts.store.revive(this.#parts.stream, id, options.signal);
  }

  async remove(ids: readonly string[], options: { signal?: AbortSignal } = {}): Promise<number> {
    const action = "remove dead letters";
    for (const id of ids) assertId(id, action);
    assertSignalOnly(options, action);
    return await this.#parts.store.discard(this.#parts.stream, [...ids], options.signal);
  }

  async *#list(
    range: { from: string; to: string; limit: number },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<DeadLetter<Value>, void, undefined> {
    const { store, stream } = this.#parts;
    let { from, limit: left } = range;
    while (left > 0) {
      const limit = Math.min(PAGE, left);
      const entries = await store.dead({ stream, from, to: range.to, limit }, signal);
      for (const entry of entries) {
        const { id, original, group, key, attempts, error, at } = entry;
        const read = await itemOf(this.#parts, entry);
        yield {
          ...{ id, originalId: original, group, key, attempts, error, at: new Date(at) },
          ...(read.issues ? { issues: read.issues } : { value: read.value as Value }),
        };
        left--;
      }
      if (entries.length < limit) return;
      from = `(${entries.at(-1)!.id}`;
    }
  }
}
