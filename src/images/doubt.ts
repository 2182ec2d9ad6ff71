import { heifType } from "./formats/heif.ts";
import { isIco } from "./formats/ico.ts";
import { isJxl } from "./formats/jxl.ts";
import { hasText } from "./formats/bytes.ts";
import { typeOfName } from "./types.ts";

/** So much of the beginning is looked at. */
export const BEGINNING = 1024;

const STARTS: readonly (readonly [start: string, type: string])[] = [
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["GIF87a", "image/gif"],
  ["GIF89a", "image/gif"],
  ["II*\0", "image/tiff"],
  ["MM\0*", "image/tiff"],
  ["BM", "image/bmp"],
];

/** What a browser might take for a document, or a script, whatever it stands in. */
const DOCUMENT = /<(?:!doctype|html|head|body|script|iframe|svg|\?xml|\?php)/i;

/**
 * The type of an SVG whose name says so, and whose root says a size that is none: those that only hold symbols for pages
 * often are 0 x 0. It is sent as any other SVG, under a policy that lets it do nothing.
 */
export function typeWithoutSize(filename: string, type: string | undefined): string | undefined {
  return type === "image/svg+xml" && type === typeOfName(filename) ? type : undefined;
}

/**
 * The type of a file of which a parser says that something is wrong with it: what its first bytes say, if its name says
 * the same, and nothing in its beginning might be taken for something else. Not SVG, which is a document itself.
 */
export function typeInDoubt(filename: string, beginning: Uint8Array): string | undefined {
  const type = startOf(beginning);
  if (type === undefined || type !== typeOfName(filename)) return undefined;
  return DOCUMENT.test(new TextDecoder("latin1").decode(beginning)) ? undefined : type;
}

function startOf(head: Uint8Array): string | undefined {
  const known = STARTS.find(([start]) => hasText(head, 0, start))?.[1];
  if (known !== undefined) return known;
  if (hasText(head, 0, "RIFF") && hasText(head, 8, "WEBP")) return "image/webp";
  if (hasText(head, 4, "ftyp") && head.length >= 16) return heifType(head);
  if (isJxl(head)) return "image/jxl";
  return isIco(head) ? "image/vnd.microsoft.icon" : undefined;
}
