import { assert } from "@std/assert";
import { ImageError } from "../../src/images/mod.ts";
import { Probe } from "../../src/images/probe.ts";

/** What one header may take, garbage collections and a busy machine included. */
export const LIMIT = 50;

/** Reads a header from chunks of a size; what it takes at most is checked. */
export function probe(bytes: Uint8Array, chunk = 65_536): ReturnType<Probe["end"]> | ImageError {
  const read = () => {
    const probe = new Probe("x");
    try {
      for (let at = 0; at < bytes.length; at += chunk) probe.push(bytes.subarray(at, at + chunk));
      return probe.end();
    } catch (error) {
      if (error instanceof ImageError) return error;
      throw error;
    }
  };
  const most = LIMIT * Math.max(1, bytes.length / 2 ** 20);
  let took = Infinity;
  let result: ReturnType<typeof probe> | undefined;
  // Somebody else may have had the processor: it is the same work again.
  for (let i = 0; i < 8 && took >= most; i++) {
    const started = performance.now();
    result = read();
    took = performance.now() - started;
  }
  assert(took < most, `${took} ms for ${bytes.length} bytes`);
  return result!;
}

/** Bytes out of texts and numbers. */
export function bytesOf(...parts: (string | number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    parts.flatMap((part) => typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : part),
  );
}

/** How a PNG begins. */
export const PNG = "\x89PNG\r\n\x1a\n";
/** A number of four bytes. */
export const be32 = (n: number): number[] => [n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255];
/** CRC-32, bit by bit. */
export function crcOf(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** A PNG without pixels. */
export const ihdr = (width: number, height: number): Uint8Array<ArrayBuffer> => {
  const header = bytesOf("IHDR", be32(width), be32(height), [8, 6, 0, 0, 0]);
  const rest = bytesOf(be32(0), "IDAT", be32(0), be32(0), "IEND", be32(0));
  return bytesOf(PNG, be32(13), [...header], be32(crcOf(header)), [...rest]);
};

/** A head, and so many times the same. */
export function repeated(
  head: Uint8Array,
  part: Uint8Array,
  times: number,
  tail: Uint8Array = new Uint8Array(),
): Uint8Array {
  const bytes = new Uint8Array(head.length + part.length * times + tail.length);
  bytes.set(head);
  for (let i = 0; i < times; i++) bytes.set(part, head.length + i * part.length);
  bytes.set(tail, bytes.length - tail.length);
  return bytes;
}
