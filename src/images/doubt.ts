import { hasText } from "./formats/bytes.ts";
import { typeOfStart } from "./formats/image.ts";
import { typeOfName } from "./types.ts";

/** So much of the beginning is looked at. */
export const BEGINNING = 1024;

/** What a browser might take for a document, or a script, whatever it stands in. */
const DOCUMENT = /<(?:!doctype|html|head|body|script|iframe|svg|\?xml|\?php)/i;

/**
 * The type of an SVG whose name says so, and whose root says a size that is none: those that only hold symbols for
 * pages often are 0 x 0. It is sent as any other SVG, under a policy that lets it do nothing.
 */
export function typeWithoutSize(filename: string, type: string | undefined): string | undefined {
  return type === "image/svg+xml" && type === typeOfName(filename) ? type : undefined;
}

/**
 * The type of a file of which a parser says that something is wrong with it: what its first bytes say, if its name says
 * the same, and nothing in its beginning might be taken for something else. Not SVG, which is a document itself.
 */
export function typeInDoubt(filename: string, beginning: Uint8Array): string | undefined {
  if (hasText(beginning, 4, "ftyp") && beginning.length < 16) return undefined; // the box is cut
  const type = typeOfStart(beginning);
  if (type === undefined || type !== typeOfName(filename)) return undefined;
  return DOCUMENT.test(new TextDecoder("latin1").decode(beginning)) ? undefined : type;
}
