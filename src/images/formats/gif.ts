import type { Parser } from "./parser.ts";
import { need, view } from "./bytes.ts";

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const HAS_TABLE = 0x80;

/**
 * GIF (CompuServe, "Graphics Interchange Format, Version 89a"). Its size is that of the screen; where the first frame
 * reaches beyond it, the screen grows, as in browsers.
 */
export function* parseGif(): Parser {
  const screen = (yield* need(6, 7, "a GIF screen descriptor")).slice();
  const blocks = new Blocks();
  yield { at: 13 + tableOf(screen[4]!), length: 0, scan: (bytes) => blocks.scan(bytes) };
  const data = view(screen);
  const width = Math.max(data.getUint16(0, true), blocks.width);
  const height = Math.max(data.getUint16(2, true), blocks.height);
  const { frames, ended } = blocks;
  return { type: "image/gif", width, height, frames, animated: frames > 1, truncated: !ended };
}

/** Bytes of the colour table that flags speak of. */
function tableOf(flags: number): number {
  return flags & HAS_TABLE ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** Walks from block to block up to the trailer. */
class Blocks {
  /** Images in it. */
  frames = 0;
  /** How far to the right the first image reaches. */
  width = 0;
  /** How far down it reaches. */
  height = 0;
  /** Whether the trailer was found. */
  ended = false;
  /** Bytes that tell nothing. */
  #skip = 0;
  /** Whether the next byte is the length of a block inside of an image or an extension. */
  #within = false;
  /** The descriptor of an image, as far as it is there. */
  readonly #descriptor = new Uint8Array(9);
  #filled = -1;

  scan(bytes: Uint8Array): boolean {
    let i = 0;
    while (i < bytes.length) {
      if (this.#skip > 0) {
        const part = Math.min(this.#skip, bytes.length - i);
        this.#skip -= part;
        i += part;
        continue;
      }
      const byte = bytes[i++]!;
      if (this.#filled >= 0) this.#describe(byte);
      else if (this.#within) {
        this.#skip = byte;
        this.#within = byte !== 0;
      } else if (byte === EXTENSION) {
        this.#skip = 1;
        this.#within = true;
      } else if (byte === IMAGE) this.#filled = 0;
      else if (byte !== 0) {
        this.ended = byte === TRAILER;
        return true;
      }
    }
    return false;
  }

  #describe(byte: number): void {
    this.#descriptor[this.#filled++] = byte;
    if (this.#filled < this.#descriptor.length) return;
    this.#filled = -1;
    const data = view(this.#descriptor);
    if (this.frames++ === 0) {
      this.width = data.getUint16(0, true) + data.getUint16(4, true);
      this.height = data.getUint16(2, true) + data.getUint16(6, true);
    }
    this.#skip = tableOf(byte) + 1; // and the size of a code
    this.#within = true;
  }
}
