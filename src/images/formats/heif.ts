import { BadImage, type Parser, type Shape } from "./parser.ts";
import { need, reaches, textAt, view } from "./bytes.ts";
import { Bits } from "./bits.ts";
import { boxAt, BOXES } from "./boxes.ts";
import { type Items, readItems } from "./heif_items.ts";
import { readTrack, type Track } from "./heif_tracks.ts";

/** MIME types by brand; the first of a file that is known counts, AVIF before all else. */
const AVIF = new Set(["avif", "avis"]);
const HEIC = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"]);
const HEIF = new Set(["mif1", "mif2", "msf1", "miaf"]);

/** The MIME type of a file that begins with `ftyp`, if it holds pictures. */
export function heifType(head: Uint8Array): string | undefined {
  const end = Math.min(view(head).getUint32(0) || head.length, head.length);
  const brands: string[] = [];
  for (let at = 8; at + 4 <= end; at += at === 8 ? 8 : 4) brands.push(textAt(head, at, 4));
  // With one small box for all of it, what else it is stands where versions do.
  if (brands[0] === "mif3" && end >= 16) brands.push(textAt(head, 12, 4));
  if (brands.some((brand) => AVIF.has(brand))) return "image/avif";
  if (brands.some((brand) => HEIC.has(brand))) return "image/heic";
  return brands.some((brand) => HEIF.has(brand)) ? "image/heif" : undefined;
}

/**
 * AVIF (AOMedia, "AV1 Image File Format") and HEIC in HEIF (ISO/IEC 23008-12): the primary item, with its rotation and
 * mirroring, or the track of a sequence.
 */
export function* parseHeif(type: string): Parser {
  const sequence = textAt(yield* need(8, 4, "a brand"), 0, 4) === "avis";
  let items: Items | undefined;
  let track: Track | undefined;
  let mini: Items["shape"];
  const found = (truncated: boolean): Shape => {
    const shape = sequence && track ? track : items?.shape ?? mini ?? track;
    if (!shape && !items) throw new BadImage("truncated", `a meta box in ${nameOf(type)}, got none`);
    if (!shape) {
      throw new BadImage(truncated ? "truncated" : "invalid", `a primary item with a size in ${nameOf(type)}`);
    }
    const { width, height } = shape;
    const orientation = "orientation" in shape ? shape.orientation : undefined;
    const frames = track?.frames;
    return {
      type,
      width,
      height,
      orientation,
      ...(frames !== undefined && { frames, animated: frames > 1 }),
      truncated,
    };
  };
  let at = 0;
  let data = false;
  for (let i = 0; i < BOXES; i++) {
    const box = yield* boxAt(at);
    if (box === "cut") return found(true);
    // All is there if the last byte of the items is, which may be in the box of the items itself.
    if (!box) return found(items ? items.end > at : !data);
    data ||= box.type === "mdat" || box.type === "mini";
    if (box.type === "meta" && !items) items = yield* readItems(box);
    else if (box.type === "moov" && !track) track = yield* readTrack(box);
    else if (box.type === "mini" && !mini) mini = miniOf(yield* need(box.content, 8, "a mini box"));
    const end = box.end === Infinity ? items?.end ?? 0 : box.end;
    if (end > box.content && !(yield* reaches(end))) return found(true);
    if (box.end === Infinity) break;
    at = box.end;
  }
  return found(false);
}

function nameOf(type: string): string {
  return type === "image/avif" ? "an AVIF" : "a HEIF";
}

/** The first bits of a `mini` box (ISO/IEC 23008-12, edition 3). */
function miniOf(bytes: Uint8Array): { width: number; height: number; orientation?: number } {
  const bits = new Bits(bytes, { lowFirst: false });
  bits.read(2 + 9 + 2); // version, flags, subsampling
  const orientation = bits.read(3) + 1;
  const length = bits.flag() ? 7 : 15;
  const [width, height] = [bits.read(length) + 1, bits.read(length) + 1];
  return { width, height, ...(orientation > 1 && { orientation }) };
}
