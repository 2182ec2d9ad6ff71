import { BadImage, MOST, type Parser } from "./parser.ts";
import { need, view } from "./bytes.ts";
import { type Box, boxAt, BOXES, boxesIn, boxIn } from "./boxes.ts";
import { transformed } from "./heif_transform.ts";

/** What the items of a file say. */
export interface Items {
  /** The primary item, if one is named and has a size. */
  readonly shape: { width: number; height: number; orientation?: number } | undefined;
  /** Where the last byte of an item lies, plus 1. */
  readonly end: number;
}

/** What is kept of a `meta` box. */
const KEPT = new Set(["pitm", "iprp", "iloc"]);

/** Reads the items of a `meta` box (ISO/IEC 23008-12), which may hold the pixels itself, and may end with the file. */
export function* readItems(meta: Box): Parser<Items> {
  const kept = new Map<string, Uint8Array>();
  let at = meta.content + 4;
  let data: number | undefined;
  for (let i = 0; i < BOXES; i++) {
    const box = yield* boxAt(at, meta.end);
    if (!box || box === "cut") break;
    if (KEPT.has(box.type) && !kept.has(box.type)) {
      const length = box.end - box.content;
      if (length > MOST) throw new BadImage("too-large", `a ${box.type} box of at most ${MOST} bytes, got ${length}`);
      kept.set(box.type, (yield* need(box.content, length, `a ${box.type} box`)).slice());
    }
    if (box.type === "idat") data ??= box.content;
    if (box.end === Infinity) break;
    at = box.end;
  }
  const [pitm, iprp, iloc] = [kept.get("pitm"), kept.get("iprp"), kept.get("iloc")];
  return { shape: pitm && iprp && primaryOf(pitm, iprp), end: iloc ? endOf(iloc, data ?? 0) : 0 };
}

function primaryOf(pitm: Uint8Array, iprp: Uint8Array): Items["shape"] {
  const data = view(iprp);
  const ipco = boxIn(iprp, 0, iprp.length, "ipco");
  const ipma = boxIn(iprp, 0, iprp.length, "ipma");
  if (!ipco || !ipma || pitm.length < 6) return undefined;
  const primary = pitm[0] !== 0 && pitm.length >= 8 ? view(pitm).getUint32(4) : view(pitm).getUint16(4);
  const properties = [...boxesIn(iprp, ipco.content, ipco.end)];
  let size: { width: number; height: number } | undefined;
  const boxes: Box[] = [];
  for (const index of associations(iprp, ipma, primary)) {
    const box = properties[index - 1];
    if (!box) continue;
    const { type, content, end } = box;
    if (type === "ispe" && end - content >= 12) {
      size = { width: data.getUint32(content + 4), height: data.getUint32(content + 8) };
    } else boxes.push(box);
  }
  return size && transformed(size, iprp, boxes);
}

/** The numbers of the properties of an item. */
function associations(bytes: Uint8Array, ipma: Box, item: number): number[] {
  const data = view(bytes);
  const { content, end } = ipma;
  if (end - content < 8) return [];
  const wideItem = bytes[content]! > 0;
  const wideIndex = (bytes[content + 3]! & 1) === 1;
  const entries = data.getUint32(content + 4);
  let at = content + 8;
  for (let i = 0; i < entries && at + (wideItem ? 5 : 3) <= end; i++) {
    const id = wideItem ? data.getUint32(at) : data.getUint16(at);
    at += wideItem ? 4 : 2;
    const count = bytes[at++]!;
    const step = wideIndex ? 2 : 1;
    if (id === item) {
      const indices: number[] = [];
      for (let j = 0; j < count && at + step <= end; j++, at += step) {
        indices.push(wideIndex ? data.getUint16(at) & 0x7fff : bytes[at]! & 0x7f);
      }
      return indices;
    }
    at += count * step;
  }
  return [];
}

/** Where the last extent of an item ends: in the file, or in the data of the `meta` box, which begin at `inside`. */
function endOf(iloc: Uint8Array, inside: number): number {
  const data = view(iloc);
  const version = iloc[0] ?? 0;
  if (iloc.length < 8 || version > 2) return 0;
  const [offsets, lengths] = [iloc[4]! >>> 4, iloc[4]! & 15];
  const [bases, indices] = [iloc[5]! >>> 4, version === 0 ? 0 : iloc[5]! & 15];
  let at = 6;
  let end = 0;
  // What is missing counts as 0, so that a box that is cut ends the walk.
  const number = (length: number): number => {
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + (iloc[at + i] ?? 0);
    at += length;
    return value;
  };
  const items = number(version < 2 ? 2 : 4);
  for (let i = 0; i < items && at < data.byteLength; i++) {
    number(version < 2 ? 2 : 4);
    const method = version === 0 ? 0 : number(2) & 15;
    const elsewhere = number(2) !== 0; // in another file
    const base = number(bases);
    const extents = number(2);
    for (let j = 0; j < extents && at < data.byteLength; j++) {
      number(indices);
      const offset = number(offsets);
      const last = base + offset + number(lengths);
      if (method <= 1 && !elsewhere) end = Math.max(end, method === 1 ? inside + last : last);
    }
  }
  return end;
}
