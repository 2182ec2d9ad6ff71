import { BadImage, type Parser } from "./parser.ts";
import { isAvif, parseAvif } from "./avif.ts";
import { parseBmp } from "./bmp.ts";
import { hasText } from "./bytes.ts";
import { parseGif } from "./gif.ts";
import { isIco, parseIco } from "./ico.ts";
import { parseJpeg } from "./jpeg.ts";
import { parsePng } from "./png.ts";
import { parseSvg } from "./svg.ts";
import { parseTiff } from "./tiff.ts";
import { parseWebp } from "./webp.ts";

/** Tells the format by its first bytes and reads its header. */
export function* parseImage(): Parser {
  const head = yield { at: 0, length: 64 };
  if (head.length === 0) throw new BadImage("empty", "an image, got no bytes");
  if (hasText(head, 0, "\x89PNG\r\n\x1a\n")) return yield* parsePng();
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return yield* parseJpeg();
  if (hasText(head, 0, "GIF87a") || hasText(head, 0, "GIF89a")) return yield* parseGif();
  if (hasText(head, 0, "RIFF") && hasText(head, 8, "WEBP")) return yield* parseWebp();
  if (hasText(head, 4, "ftyp") && isAvif(head)) return yield* parseAvif();
  if (hasText(head, 0, "II*\0") || hasText(head, 0, "MM\0*")) return yield* parseTiff();
  if (hasText(head, 0, "BM")) return yield* parseBmp();
  if (isIco(head)) return yield* parseIco();
  return yield* parseSvg();
}
