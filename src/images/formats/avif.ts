import { BadImage, MOST, type Parser } from "./parser.ts";
import { need, textAt, view } from "./bytes.ts";

/** Boxes of a file, or of a box, after which nobody looks any further. */
const BOXES = 1000;
const BRANDS = new Set(["avif", "avis"]);

interface Box {
  readonly type: string;
  /** Where it begins, its header included. */
  readonly at: number;
  /** Where its content begins. */
  readonly content: number;
  /** Where it ends; `Infinity` = with the file. */
  readonly end: number;
}

/** Whether a file that begins with `ftyp` says that it is AVIF. */
export function isAvif(head: Uint8Array): boolean {
  const end = Math.min(view(head).getUint32(0), head.length);
  for (let at = 8; at + 4 <= end; at += at === 8 ? 8 : 4) if (BRANDS.has(textAt(head, at, 4))) return true;
  return false;
}

/** AVIF (AOMedia, "AV1 Image File Format") in HEIF (ISO/IEC 23008-12): the primary item, with its rotation and mirroring. */
export function* parseAvif(): Parser {
  let shape: { width: number; height: number; orientation?: number | undefined } | undefined;
  let data = false;
  let at = 0;
  for (let i = 0; i < BOXES; i++) {
    const box = yield* boxAt(at);
    if (!box) return found(shape, !data || (yield { at, length: 1 }).length > 0);
    data ||= box.type === "mdat";
    if (box.type === "meta" && !shape) {
      const length = box.end - box.content;
      if (length > MOST) throw new BadImage("too-large", `a meta box of at most ${MOST} bytes, got ${length}`);
      shape = primaryOf(yield* need(box.content, length, "a meta box"));
    }
    if (box.end === Infinity) return found(shape, !data);
    const last = yield { at: box.end - 1, length: 1 };
    if (last.length === 0) return found(shape, true);
    at = box.end;
  }
  return found(shape, false);
}

function found(
  shape: { width: number; height: number; orientation?: number | undefined } | undefined,
  truncated: boolean,
): { type: string; width: number; height: number; orientation?: number | undefined; truncated: boolean } {
  if (!shape) throw new BadImage("truncated", "a meta box in an AVIF, got none");
  return { type: "image/avif", ...shape, truncated };
}

/** The box at a place in the file, or nothing at its end. */
function* boxAt(at: number): Parser<Box | undefined> {
  const header = yield { at, length: 8 };
  if (header.length < 8) return undefined;
  const type = textAt(header, 4, 4);
  const size = view(header).getUint32(0);
  if (size === 0) return { type, at, content: at + 8, end: Infinity };
  if (size !== 1) return sane({ type, at, content: at + 8, end: at + size });
  const long = yield { at: at + 8, length: 8 };
  if (long.length < 8) return undefined;
  return sane({ type, at, content: at + 16, end: at + Number(view(long).getBigUint64(0)) });
}

function sane(box: Box): Box {
  if (box.end >= box.content && Number.isSafeInteger(box.end)) return box;
  throw new BadImage("invalid", `a box "${printable(box.type)}" at ${box.at} of its own size`);
}

function printable(type: string): string {
  return type.replace(/[^ -~]/g, "?");
}

/** The boxes inside of bytes. What reaches beyond them ends with them. */
function* boxesIn(bytes: Uint8Array, from: number, to: number): Generator<Box> {
  const data = view(bytes);
  let at = from;
  for (let i = 0; i < BOXES && at + 8 <= to; i++) {
    const size = data.getUint32(at);
    if (size < 8 || at + size > to) return;
    yield { type: textAt(bytes, at + 4, 4), at, content: at + 8, end: at + size };
    at += size;
  }
}

function boxIn(bytes: Uint8Array, from: number, to: number, type: string): Box | undefined {
  for (const box of boxesIn(bytes, from, to)) if (box.type === type) return box;
}

function primaryOf(meta: Uint8Array): { width: number; height: number; orientation?: number | undefined } {
  const data = view(meta);
  const pitm = boxIn(meta, 4, meta.length, "pitm");
  const iprp = boxIn(meta, 4, meta.length, "iprp");
  const ipco = iprp && boxIn(meta, iprp.content, iprp.end, "ipco");
  const ipma = iprp && boxIn(meta, iprp.content, iprp.end, "ipma");
  if (!pitm || !ipco || !ipma || pitm.end - pitm.content < 6) {
    throw new BadImage("invalid", "a primary item with properties in an AVIF");
  }
  const wide = meta[pitm.content] !== 0 && pitm.end - pitm.content >= 8;
  const primary = wide ? data.getUint32(pitm.content + 4) : data.getUint16(pitm.content + 4);
  const properties = [...boxesIn(meta, ipco.content, ipco.end)];
  let size: { width: number; height: number } | undefined;
  let turns = 0;
  let axis: number | undefined;
  for (const index of associations(meta, ipma, primary)) {
    const box = properties[index - 1];
    if (!box) continue;
    const { type, content, end } = box;
    if (type === "ispe" && end - content >= 12) {
      size = { width: data.getUint32(content + 4), height: data.getUint32(content + 8) };
    } else if (type === "irot" && end > content) turns = meta[content]! & 3;
    else if (type === "imir" && end > content) axis = meta[content]! & 1;
  }
  if (!size) throw new BadImage("invalid", "the size of the primary item in an AVIF");
  const turned = turns !== 0 || axis !== undefined;
  return { ...size, ...(turned && { orientation: orientationOf(turns, axis) }) };
}

/** The numbers of the properties of an item. */
function associations(meta: Uint8Array, ipma: Box, item: number): number[] {
  const data = view(meta);
  const { content, end } = ipma;
  if (end - content < 8) return [];
  const wideItem = meta[content]! > 0;
  const wideIndex = (meta[content + 3]! & 1) === 1;
  const entries = data.getUint32(content + 4);
  let at = content + 8;
  for (let i = 0; i < entries && at + (wideItem ? 5 : 3) <= end; i++) {
    const id = wideItem ? data.getUint32(at) : data.getUint16(at);
    at += wideItem ? 4 : 2;
    const count = meta[at++]!;
    const step = wideIndex ? 2 : 1;
    if (id === item) {
      const indices: number[] = [];
      for (let j = 0; j < count && at + step <= end; j++, at += step) {
        indices.push(wideIndex ? data.getUint16(at) & 0x7fff : meta[at]! & 0x7f);
      }
      return indices;
    }
    at += count * step;
  }
  return [];
}

/** Quarter turns against the clock, then a flip: axis 0 top to bottom, 1 left to right. As an EXIF orientation. */
function orientationOf(turns: number, axis: number | undefined): number {
  const table = axis === undefined ? [1, 8, 3, 6] : axis === 0 ? [4, 5, 2, 7] : [2, 7, 4, 5];
  return table[turns]!;
}
