import { type Reading, type Text, unescaped } from "./xml.ts";

/** The root element has to end within so many characters: some programs keep their drawing in one of its attributes. */
export const ROOT_MOST: number = 2 ** 24;
/** Of longer values nothing is kept. */
const VALUE = 256;
/** Entities that are kept. */
const ENTITIES = 256;
/** Parts of the prolog, or attributes, after which nobody looks any further. */
const PARTS = 10_000;
/** What has a meaning in a document type. */
const MARKUP = /["'<>[\]]/g;
const WANTED = new Set(["width", "height", "viewBox", "font-size", "style"]);

/** The root element of an SVG. */
export interface Root {
  /** Its name, with a prefix if it has one. */
  readonly name: string;
  /** Its attributes that tell a size. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Whether it has no content. */
  readonly empty: boolean;
}

/** The root element; what is missing of it, if that is all; or nothing if this is no SVG. Reads each character once. */
export function* readRoot(text: Text): Reading<Root | string | undefined> {
  const entities = new Map<string, string>();
  let seen = false;
  for (let i = 0; i < PARTS; i++) {
    if (!(yield* text.blanks())) return seen ? "a root element" : undefined;
    if (text.passed > ROOT_MOST) break;
    yield* text.wait(80);
    if (!text.is("<")) return undefined;
    if (text.is("<?")) {
      const isProlog = text.is("<?xml");
      if (!(yield* text.skip("?>"))) return isProlog ? "the end of the prolog" : undefined;
    } else if (text.is("<!--")) {
      if (!(yield* text.skip("-->"))) return undefined;
    } else if (text.is("<!DOCTYPE")) {
      const start = text.ahead(64);
      if (/^<!DOCTYPE\s+html\b/i.test(start)) return undefined;
      if (!(yield* readDoctype(text, entities))) {
        return /^<!DOCTYPE\s+svg\b/.test(start) ? "the end of the DOCTYPE" : undefined;
      }
    } else {
      const name = /^<((?:[\p{L}_][\p{L}\p{M}\w.-]{0,63}:)?svg)(?=[\s/>])/u.exec(text.ahead(80))?.[1];
      if (name === undefined) return undefined;
      text.pass(1 + name.length);
      return yield* readAttributes(text, name, entities);
    }
    seen = true;
  }
  return "a root element";
}

/**
 * Passes a document type, which may have an internal subset with entities, comments and instructions; `false` if it
 * does not end.
 */
function* readDoctype(text: Text, entities: Map<string, string>): Reading<boolean> {
  let depth = 0;
  text.pass(1);
  for (let i = 0; i < PARTS && (yield* text.upTo(MARKUP)); i++) {
    if (text.passed > ROOT_MOST) return false;
    const char = text.ahead(1);
    if (char === "<") {
      yield* text.wait(VALUE);
      const comment = text.is("<!--");
      if (comment || text.is("<?")) {
        if (!(yield* text.skip(comment ? "-->" : "?>"))) return false;
        continue;
      }
      if (text.is("<!ENTITY")) keepEntity(text.ahead(VALUE), entities);
    }
    text.pass(1);
    if (char === '"' || char === "'") {
      if (!(yield* text.skip(char))) return false;
    } else if (char === "[") depth++;
    else if (char === "]") depth--;
    else if (char === ">" && depth <= 0) return true;
  }
  return false;
}

/** Keeps what `<!ENTITY name "value"` says. */
function keepEntity(declaration: string, entities: Map<string, string>): void {
  const [, name, , value] = /^<!ENTITY\s+([\w:.-]{1,64})\s+(["'])([^"'<%]{0,160})\2/.exec(declaration) ?? [];
  if (name !== undefined && !entities.has(name) && entities.size < ENTITIES) entities.set(name, value!);
}

function* readAttributes(text: Text, name: string, entities: Map<string, string>): Reading<Root | string> {
  const attributes = new Map<string, string>();
  for (let i = 0; i < PARTS && (yield* text.blanks()) && text.passed <= ROOT_MOST; i++) {
    yield* text.wait(2);
    if (text.is(">")) return { name, attributes, empty: false };
    if (text.is("/>")) return { name, attributes, empty: true };
    if (text.is("/")) {
      text.pass(1);
      continue;
    }
    const attribute = (yield* text.take("=", VALUE))?.trim();
    if (attribute === undefined || !(yield* text.blanks())) break;
    const quote = text.ahead(1);
    if (quote !== '"' && quote !== "'") break;
    text.pass(1);
    const value = yield* text.take(quote, VALUE);
    if (value === undefined) break;
    if (WANTED.has(attribute) && value !== "") attributes.set(attribute, unescaped(value, entities));
  }
  return "the end of the root element";
}

/** What a comment, a section or an instruction ends with, by how it begins behind `<`. */
const SECTIONS = [["!--", "-->"], ["![CDATA[", "]]>"], ["?", "?>"]] as const;

/** Reads to the end; whether the root element is closed, with nothing but comments and instructions behind it. */
export function* readEnd(text: Text, name: string): Reading<boolean> {
  const end = `/${name}`;
  let closed = false;
  while (text.passes("<") || (yield* text.skip("<"))) {
    if (!text.has(80)) yield* text.wait(80);
    const section = text.is("!") || text.is("?") ? SECTIONS.find(([start]) => text.is(start)) : undefined;
    if (!section) closed = text.is(end);
    else if (!(yield* text.skip(section[1]))) return false;
  }
  return closed;
}
