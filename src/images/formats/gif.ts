import type { Parser } from "./parser.ts";
import { need, view } from "./bytes.ts";

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const HAS_TABLE = 0x80;
/** Blocks after which only the end is looked at: 8 MiB of them, unless somebody made them small to waste time. */
const BLOCKS = 2 ** 15;
const TAIL = 4096;

/** GIF (CompuServe, "Graphics Interchange Format, Version 89a"). */
export function* parseGif(): Parser {
  const screen = yield* need(6, 7, "a GIF screen descriptor");
  const data = view(screen);
  const size = { width: data.getUint16(0, true), height: data.getUint16(2, true) };
  return { type: "image/gif", ...size, truncated: !(yield* hasEnd(13 + tableOf(screen[4]!))) };
}

/** Bytes of the colour table that flags speak of. */
function tableOf(flags: number): number {
  return flags & HAS_TABLE ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** Walks from block to block up to the trailer. */
function* hasEnd(first: number): Parser<boolean> {
  let at = first;
  let within = false; // within the blocks of an image or an extension
  for (let i = 0; i < BLOCKS; i++) {
    const [byte] = yield { at, length: 1 };
    if (byte === undefined) return false;
    at++;
    if (within) {
      at += byte;
      within = byte !== 0;
    } else if (byte === TRAILER) return true;
    else if (byte === EXTENSION) {
      at++;
      within = true;
    } else if (byte === IMAGE) {
      const [flags] = yield { at: at + 8, length: 1 };
      at += 10 + tableOf(flags ?? 0);
      within = true;
    } else if (byte !== 0) return false;
  }
  const tail = yield { at, length: TAIL, last: true };
  // The last block of an image is an empty one.
  for (let i = tail.length - 1; i > 0; i--) if (tail[i] === TRAILER && tail[i - 1] === 0) return true;
  return false;
}
