import { BadImage, type Parser } from "./parser.ts";

/** A view of bytes for numbers of several of them. */
export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whether there is an ASCII text at a place. */
export function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  if (at + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** ASCII text at a place. */
export function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** Bytes that have to be there. */
export function* need(at: number, length: number, what: string): Parser<Uint8Array> {
  const bytes = yield { at, length };
  if (bytes.length === length) return bytes;
  throw new BadImage("truncated", `${what} of ${length} bytes at ${at}, got ${bytes.length}`);
}

/** Whether the file goes on at least up to this length. */
export function* reaches(length: number): Parser<boolean> {
  if (length <= 0) return true;
  return (yield { at: length - 1, length: 1 }).length === 1;
}
