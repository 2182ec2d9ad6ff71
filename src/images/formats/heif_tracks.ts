import type { Parser } from "./parser.ts";
import { need, textAt, view } from "./bytes.ts";
import { type Box, boxAt, BOXES, boxesIn } from "./boxes.ts";
import { type Picture, transformed } from "./heif_transform.ts";

/** The pictures of a sequence. */
export interface Track extends Picture {
  readonly frames: number;
}

const CONTAINERS = new Set(["trak", "mdia", "minf", "stbl"]);
/** Boxes inside of each other that are looked into. */
const DEPTH = 5;
/** Bytes before the first sample entry, and before the boxes inside of it: a box header and what all videos have. */
const [ENTRY, FIELDS] = [8, 86];
/** So much of sample entries is looked at. */
const ENTRIES_MOST = 2 ** 16;

/** The first track of pictures in a `moov` box (ISO/IEC 14496-12). */
export function* readTrack(moov: Box): Parser<Track | undefined> {
  const tracks: { handler: string; width: number; height: number; frames: number; entry?: Uint8Array }[] = [];
  yield* walk(moov, 0);
  const pictures = tracks.find(({ handler }) => handler === "pict") ?? tracks.find(({ handler }) => handler === "vide");
  if (!pictures) return undefined;
  const { width, height, frames, entry } = pictures;
  // As in a primary item, but that they stand in the description of its samples.
  const boxes = entry ? boxesIn(entry, FIELDS, Math.min(entry.length, view(entry).getUint32(0))) : [];
  return { ...transformed({ width, height }, entry ?? new Uint8Array(), boxes), frames };

  function* walk(parent: Box, depth: number): Parser<void> {
    let at = parent.content;
    for (let i = 0; i < BOXES; i++) {
      const box = yield* boxAt(at, parent.end);
      if (!box || box === "cut") return;
      if (box.type === "trak") tracks.push({ handler: "", width: 0, height: 0, frames: 0 });
      const track = tracks.at(-1);
      if (CONTAINERS.has(box.type) && depth < DEPTH) yield* walk(box, depth + 1);
      else if (track && box.type === "hdlr" && track.handler === "") {
        track.handler = textAt(yield* need(box.content + 8, 4, "a handler"), 0, 4);
      } else if (track && box.type === "tkhd") {
        const [version] = yield* need(box.content, 1, "a track header");
        // Numbers of 16 bits before the point and 16 behind it.
        const size = view(yield* need(box.content + (version === 1 ? 88 : 76), 8, "a track header"));
        [track.width, track.height] = [size.getUint32(0) >>> 16, size.getUint32(4) >>> 16];
      } else if (track && box.type === "stsd") {
        const length = Math.min(box.end - box.content - ENTRY, ENTRIES_MOST);
        if (length >= FIELDS) track.entry = (yield* need(box.content + ENTRY, length, "a sample entry")).slice();
      } else if (track && box.type === "stsz") {
        track.frames = view(yield* need(box.content + 8, 4, "sample sizes")).getUint32(0);
      }
      if (box.end === Infinity) return;
      at = box.end;
    }
  }
}
