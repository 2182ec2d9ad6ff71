import { WireEntry } from "../entry.ts";
import { JsonBatch } from "../../values/json_batch.ts";

/**
 * What the last entries stood in, and its view: those that came in one piece share one, since making one costs as much
 * as reading an entry.
 */
let lastBytes: Uint8Array = new Uint8Array(0);
let lastView = new DataView(lastBytes.buffer);

/** Reads the entries of one write's replies. */
export class EntryReader {
  /** Reads the values of what is wanted together. */
  readonly json: JsonBatch = new JsonBatch();
  #bytes: Uint8Array | undefined;

  /**
   * The entry in a value, which it keeps.
   *
   * @throws {RangeError} If it is no entry.
   */
  read(value: Uint8Array): WireEntry {
    const { buffer, byteOffset, length } = value;
    const bytes = buffer === this.#bytes?.buffer ? this.#bytes : this.#bytes = new Uint8Array(buffer as ArrayBuffer);
    return this.readAt(bytes, byteOffset, byteOffset + length);
  }

  /**
   * The entry from one position to another, which keeps the bytes.
   *
   * @throws {RangeError} If it is no entry.
   */
  readAt(bytes: Uint8Array, from: number, end: number): WireEntry {
    if (bytes !== lastBytes) {
      lastBytes = bytes;
      lastView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return new WireEntry(bytes, from, end, lastView);
  }
}
