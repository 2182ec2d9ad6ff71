import { BadImage, type Parser } from "./parser.ts";
import { textAt, view } from "./bytes.ts";

/** Boxes of a file, or of a box, after which nobody looks any further. */
export const BOXES = 1000;

/** A box of an ISO base media file (ISO/IEC 14496-12). */
export interface Box {
  /** Four characters. */
  readonly type: string;
  /** Where its content begins. */
  readonly content: number;
  /** Where it ends; `Infinity` = with the file. */
  readonly end: number;
}

/**
 * The box at a place in the file; nothing where the file or the box around it ends before, `"cut"` if within its
 * header.
 */
export function* boxAt(at: number, end: number = Infinity): Parser<Box | "cut" | undefined> {
  if (at >= end) return undefined;
  if (at + 8 > end) return "cut";
  const header = yield { at, length: 8 };
  if (header.length < 8) return header.length === 0 ? undefined : "cut";
  const type = textAt(header, 4, 4);
  const size = view(header).getUint32(0);
  if (size === 0) return { type, content: at + 8, end };
  if (size !== 1) return sane({ type, content: at + 8, end: at + size }, end);
  const long = yield { at: at + 8, length: 8 };
  if (long.length < 8) return "cut";
  return sane({ type, content: at + 16, end: at + Number(view(long).getBigUint64(0)) }, end);
}

function sane(box: Box, most: number): Box {
  if (box.end >= box.content && box.end <= most && Number.isSafeInteger(box.end)) return box;
  throw new BadImage("invalid", `a box "${box.type.replace(/[^ -~]/g, "?")}" at ${box.content} of its own size`);
}

/** The boxes inside of bytes. What reaches beyond them ends with them. */
export function* boxesIn(bytes: Uint8Array, from: number, to: number): Generator<Box> {
  const data = view(bytes);
  let at = from;
  for (let i = 0; i < BOXES && at + 8 <= to; i++) {
    const size = data.getUint32(at) || to - at;
    if (size < 8 || at + size > to) return;
    yield { type: textAt(bytes, at + 4, 4), content: at + 8, end: at + size };
    at += size;
  }
}

/** The first box of a type inside of bytes. */
export function boxIn(bytes: Uint8Array, from: number, to: number, type: string): Box | undefined {
  for (const box of boxesIn(bytes, from, to)) if (box.type === type) return box;
}
