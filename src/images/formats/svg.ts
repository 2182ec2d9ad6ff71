import { BadImage, type Parser } from "./parser.ts";
import { fontSizeOf } from "./svg_font.ts";
import { pixelsOf } from "./svg_length.ts";
import { readEnd, readRoot, type Root, ROOT_MOST } from "./svg_root.ts";
import { type Reading, Text } from "./xml.ts";

/** What CSS gives an image without a size of its own. */
const DEFAULT = { width: 300, height: 150 };

/** What is read of a document: its root, and whether it is closed. */
interface Document {
  readonly root: Root;
  readonly closed: boolean;
}

/** SVG (W3C, "Scalable Vector Graphics 2"), as far as it says how large it is. */
export function* parseSvg(): Parser {
  const text = new Text();
  const reading = readDocument(text);
  let step = reading.next();
  let failure: unknown;
  let decoder: TextDecoder | undefined;
  const read = (bytes: Uint8Array): boolean => {
    decoder ??= decoderOf(bytes);
    const part = decoder.decode(bytes, { stream: true });
    try {
      if (part !== "" && !step.done) step = reading.next(part);
    } catch (error) {
      failure = error;
    }
    return failure !== undefined || step.done === true;
  };
  const head = (yield { at: 0, length: 2 }).slice(); // the mark of the order of bytes stands in the first two
  if (!read(head)) yield { at: head.length, length: 0, scan: read };
  while (failure === undefined && !step.done) step = reading.next(undefined);
  if (failure !== undefined) throw failure;
  const { root, closed } = step.value as Document;
  return { type: "image/svg+xml", ...sizeOf(root.attributes), truncated: !closed };
}

function* readDocument(text: Text): Reading<Document> {
  const root = yield* readRoot(text);
  if (root === undefined) {
    throw new BadImage("unsupported", "PNG, JPEG, GIF, WebP, AVIF, HEIC, JPEG XL, SVG, BMP, TIFF or ICO");
  }
  if (typeof root === "string") {
    throw new BadImage(text.ended ? "truncated" : "invalid", `${root} in an SVG within ${ROOT_MOST} characters`);
  }
  return { root, closed: root.empty || (yield* readEnd(text, root.name)) };
}

/** Text in UTF-8, or in UTF-16 if it begins like that. */
function decoderOf([a, b]: Uint8Array): TextDecoder {
  return new TextDecoder(a === 0xfe && b === 0xff ? "utf-16be" : a === 0xff && b === 0xfe ? "utf-16le" : "utf-8");
}

function sizeOf(attributes: ReadonlyMap<string, string>): { width: number; height: number } {
  const font = fontSizeOf(attributes.get("style"), attributes.get("font-size"));
  const lengthOf = (name: string) => pixelsOf(attributes.get(name) ?? "", font);
  const [width, height] = [lengthOf("width"), lengthOf("height")];
  const box = attributes.get("viewBox")?.trim().split(/[\s,]+/).map(numberOf);
  const [boxWidth = NaN, boxHeight = NaN] = box?.length === 4 ? box.slice(2) : [];
  const ratio = boxWidth > 0 && boxHeight > 0 ? boxWidth / boxHeight : undefined;
  if (width !== undefined && height !== undefined) return rounded(width, height);
  if (ratio === undefined) return rounded(width ?? DEFAULT.width, height ?? DEFAULT.height);
  if (width !== undefined) return rounded(width, width / ratio);
  if (height !== undefined) return rounded(height * ratio, height);
  return rounded(boxWidth, boxHeight);
}

/** A number as SVG writes it: neither hexadecimal nor infinite. */
function numberOf(text: string): number {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}

function rounded(width: number, height: number): { width: number; height: number } {
  const whole = (length: number) => length > 0 ? Math.max(1, Math.round(length)) : length;
  return { width: whole(width), height: whole(height) };
}
