import { BadImage, type Parser } from "./parser.ts";
import { parseBmp } from "./bmp.ts";
import { hasText } from "./bytes.ts";
import { parseGif } from "./gif.ts";
import { heifType, parseHeif } from "./heif.ts";
import { isIco, parseIco } from "./ico.ts";
import { parseJpeg } from "./jpeg.ts";
import { isJxl, parseJxl } from "./jxl.ts";
import { parsePng } from "./png.ts";
import { parseSvg } from "./svg.ts";
import { parseTiff } from "./tiff.ts";
import { parseWebp } from "./webp.ts";

const TIFF = ["II*\0", "MM\0*", "II+\0", "MM\0+"];

/** Tells the format by its first bytes and reads its header. */
export function* parseImage(): Parser {
  const head = yield { at: 0, length: 64 };
  if (head.length === 0) throw new BadImage("empty", "an image, got no bytes");
  if (hasText(head, 0, "\x89PNG\r\n\x1a\n")) return yield* parsePng();
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return yield* parseJpeg();
  if (hasText(head, 0, "GIF87a") || hasText(head, 0, "GIF89a")) return yield* parseGif();
  if (hasText(head, 0, "RIFF") && hasText(head, 8, "WEBP")) return yield* parseWebp();
  const type = hasText(head, 4, "ftyp") ? heifType(head) : undefined;
  if (type) return yield* parseHeif(type);
  if (isJxl(head)) return yield* parseJxl();
  if (TIFF.some((start) => hasText(head, 0, start))) return yield* parseTiff();
  if (hasText(head, 0, "BM")) return yield* parseBmp();
  if (isIco(head)) return yield* parseIco();
  return yield* parseSvg();
}
