/** Bytes of a buffer. What is longer than a part of it gets one of its own. */
const SIZE = 64 * 1024;
const LONG = SIZE / 8;

/**
 * Cuts pieces out of larger buffers: a buffer for each short piece costs more than all that is written into it. A piece
 * stays as it is, but keeps its buffer for as long as somebody keeps it: whoever does so for long takes a copy.
 */
export class Slab {
  /** What the last piece is a part of. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** The same. */
  view: DataView = new DataView(this.bytes.buffer);
  #end = 0;

  /** Sets a piece aside, and tells where in {@linkcode Slab.bytes} it begins. */
  reserve(size: number): number {
    if (this.#end + size > this.bytes.length) {
      this.bytes = new Uint8Array(size > LONG ? size : SIZE);
      this.view = new DataView(this.bytes.buffer);
      this.#end = 0;
    }
    const at = this.#end;
    this.#end += size;
    return at;
  }

  /** Gives back what was set aside last and is not needed. */
  giveBack(size: number): void {
    this.#end -= size;
  }
}
