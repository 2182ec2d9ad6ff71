import { BadImage, type Parser, type Shape } from "./parser.ts";

/** The root element begins within so many bytes, or it is no SVG. */
const HEAD = 2 ** 16;
const TAIL = 4096;
/** What CSS gives an image without a size of its own. */
const DEFAULT = { width: 300, height: 150 };
/** CSS pixels by unit (CSS Values and Units Level 4). Fonts are taken to be of 16 pixels. */
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  px: 1,
  in: 96,
  cm: 96 / 2.54,
  mm: 96 / 25.4,
  q: 96 / 101.6,
  pt: 4 / 3,
  pc: 16,
  em: 16,
  rem: 16,
  ex: 8,
  ch: 8,
};
const LENGTH = /^\s*([+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:e[+-]?\d{1,3})?)\s*([a-z%]{0,3})\s*$/i;

/** SVG (W3C, "Scalable Vector Graphics 2"), as far as it says how large it is. */
export function* parseSvg(): Parser {
  const head = yield { at: 0, length: HEAD };
  const text = decode(head);
  const root = rootOf(text);
  if (root === undefined) throw new BadImage("unsupported", "PNG, JPEG, GIF, WebP, AVIF, SVG, BMP, TIFF or ICO");
  if (typeof root === "string") {
    throw new BadImage(head.length < HEAD ? "truncated" : "invalid", `${root} in an SVG within ${HEAD} bytes`);
  }
  const size = sizeOf(root.attributes);
  const shape: Shape = { type: "image/svg+xml", ...size };
  if (root.empty) return shape;
  // What the head holds counts where the file is no longer than it.
  const tail = head.length < HEAD ? head.subarray(-TAIL) : yield { at: HEAD, length: TAIL, last: true };
  const end = decode(tail, head);
  return { ...shape, truncated: !end.includes(`</${root.name}`) };
}

/** Text in UTF-8, or in UTF-16 if it begins like that. */
function decode(bytes: Uint8Array, head: Uint8Array = bytes): string {
  const [a, b] = head;
  const encoding = a === 0xfe && b === 0xff ? "utf-16be" : a === 0xff && b === 0xfe ? "utf-16le" : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

interface Root {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly empty: boolean;
}

/** The root element; what is missing of it, if that is all; or nothing if this is no SVG. Reads each character once. */
function rootOf(text: string): Root | string | undefined {
  let at = 0;
  let seen = false;
  while (true) {
    while (at < text.length && (text.charCodeAt(at) <= 0x20 || text.charCodeAt(at) === 0xfeff)) at++;
    if (at >= text.length) return seen ? "a root element" : undefined;
    if (text[at] !== "<") return undefined;
    const closing = text.startsWith("<?", at) ? "?>" : text.startsWith("<!--", at) ? "-->" : undefined;
    if (closing) {
      const end = text.indexOf(closing, at + 2);
      if (end < 0) return text.startsWith("<?xml", at) ? "the end of the prolog" : undefined;
      at = end + closing.length;
    } else if (text.startsWith("<!DOCTYPE", at)) {
      const end = endOfDoctype(text, at);
      if (end < 0) return /^<!DOCTYPE\s+svg\b/.test(text.slice(at, at + 64)) ? "the end of the DOCTYPE" : undefined;
      if (/^<!DOCTYPE\s+html\b/i.test(text.slice(at, at + 64))) return undefined;
      at = end;
    } else break;
    seen = true;
  }
  const name = /^<((?:[A-Za-z_][\w.-]{0,63}:)?svg)(?=[\s/>])/.exec(text.slice(at, at + 80))?.[1];
  return name === undefined ? undefined : attributesOf(text, at + 1 + name.length, name);
}

/** Behind the `>` that ends a document type, which may have quotes and an internal subset. */
function endOfDoctype(text: string, from: number): number {
  let quote = "";
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const char = text[at]!;
    if (quote) {
      if (char === quote) quote = "";
    } else if (char === '"' || char === "'") quote = char;
    else if (char === "[") depth++;
    else if (char === "]") depth--;
    else if (char === ">" && depth <= 0) return at + 1;
  }
  return -1;
}

function attributesOf(text: string, from: number, name: string): Root | string {
  const attributes = new Map<string, string>();
  let at = from;
  while (at < text.length) {
    const char = text[at]!;
    if (char === ">") return { name, attributes, empty: false };
    if (text.startsWith("/>", at)) return { name, attributes, empty: true };
    if (/[\s/]/.test(char)) {
      at++;
      continue;
    }
    const equals = text.indexOf("=", at);
    if (equals < 0) break;
    let open = equals + 1;
    while (open < text.length && text.charCodeAt(open) <= 0x20) open++;
    const quote = text[open];
    if (quote !== '"' && quote !== "'") break;
    const close = text.indexOf(quote, open + 1);
    if (close < 0) break;
    if (close - open <= 256) attributes.set(text.slice(at, equals).trim(), text.slice(open + 1, close));
    at = close + 1;
  }
  return "the end of the root element";
}

function sizeOf(attributes: ReadonlyMap<string, string>): { width: number; height: number } {
  const [width, height] = [pixels(attributes.get("width")), pixels(attributes.get("height"))];
  const box = attributes.get("viewBox")?.trim().split(/[\s,]+/).map(Number);
  const [boxWidth = NaN, boxHeight = NaN] = box?.length === 4 ? box.slice(2) : [];
  const ratio = boxWidth > 0 && boxHeight > 0 ? boxWidth / boxHeight : undefined;
  if (width !== undefined && height !== undefined) return rounded(width, height);
  if (ratio === undefined) return rounded(width ?? DEFAULT.width, height ?? DEFAULT.height);
  if (width !== undefined) return rounded(width, width / ratio);
  if (height !== undefined) return rounded(height * ratio, height);
  return rounded(boxWidth, boxHeight);
}

/** A length in CSS pixels, unless it depends on where it is shown. */
function pixels(value: string | undefined): number | undefined {
  const [, number, unit = ""] = LENGTH.exec(value ?? "") ?? [];
  const factor = UNITS[unit.toLowerCase()];
  return number === undefined || factor === undefined ? undefined : Number(number) * factor;
}

function rounded(width: number, height: number): { width: number; height: number } {
  const whole = (length: number) => length > 0 ? Math.max(1, Math.round(length)) : length;
  return { width: whole(width), height: whole(height) };
}
