import { Slab } from "./slab.ts";

/**
 * Reads UTF-8 as it is. A plain `TextDecoder` drops a leading U+FEFF, and the name that it gives back is another one.
 */
export const decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

const encoder = new TextEncoder();
const slab = new Slab();
/** Longer texts get a buffer of their own. */
const SHORT = 2048;

/** Writes UTF-8, short texts as pieces of a {@linkcode Slab}: whoever keeps one for long takes a copy. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  if (text.length > SHORT) return encoder.encode(text);
  const room = text.length * 3;
  const at = slab.reserve(room);
  const { bytes } = slab;
  const { written } = encoder.encodeInto(text, bytes.subarray(at, at + room));
  slab.giveBack(room - written);
  return bytes.subarray(at, at + written);
}
