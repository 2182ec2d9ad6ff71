import { WireEntry } from "../entry.ts";
import { JsonBatch } from "../../values/json_batch.ts";

/** Reads the entries of one write's replies. */
export class EntryReader {
  /** Reads the values of what is wanted together. */
  readonly json: JsonBatch = new JsonBatch();
  #bytes = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);

  /**
   * The entry in a value, which it keeps.
   *
   * @throws {RangeError} If it is no entry.
   */
  read(value: Uint8Array): WireEntry {
    const { buffer, byteOffset, length } = value;
    // Values that came in one piece share one view: making one costs as much as reading an entry.
    if (buffer !== this.#bytes.buffer) {
      this.#bytes = new Uint8Array(buffer as ArrayBuffer);
      this.#view = new DataView(buffer);
    }
    return new WireEntry(this.#bytes, byteOffset, byteOffset + length, this.#view);
  }
}
