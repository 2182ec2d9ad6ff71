/** Reads text that comes in parts; is given `undefined` at its end. */
export type Reading<T> = Generator<undefined, T, string | undefined>;

/** Text that comes in parts. Keeps no more of it than somebody looks at. */
export class Text {
  #text = "";
  #at = 0;
  #ended = false;
  #passed = 0;

  /** Characters that were passed. */
  get passed(): number {
    return this.#passed + this.#at;
  }

  /** What is there, from where it is read on, at most so many characters. */
  ahead(length: number): string {
    return this.#text.slice(this.#at, this.#at + length);
  }

  /** Passes so many characters that are there. */
  pass(length: number): void {
    this.#at += length;
  }

  /** Whether the end was come to. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether so many characters are there. */
  has(length: number): boolean {
    return this.#text.length - this.#at >= length;
  }

  /** Whether a text comes next, of what is there. */
  is(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  /** Passes what is there up to a text and the text itself; `false`, and nothing is passed, if it is not there. */
  passes(text: string): boolean {
    const end = this.#text.indexOf(text, this.#at);
    if (end >= 0) this.#at = end + text.length;
    return end >= 0;
  }

  /** Waits until so many characters are there, or the end; says which. */
  *wait(length: number): Reading<boolean> {
    while (!this.has(length)) if (!(yield* this.#more())) return false;
    return true;
  }

  /** Passes everything up to the first character that fits; `false` if none comes. */
  *upTo(pattern: RegExp): Reading<boolean> {
    while (true) {
      pattern.lastIndex = this.#at;
      const found = pattern.exec(this.#text);
      this.#at = found?.index ?? this.#text.length;
      if (found) return true;
      if (!(yield* this.#more())) return false;
    }
  }

  /** Passes blanks; `false` at the end. */
  *blanks(): Reading<boolean> {
    while (true) {
      while (this.#at < this.#text.length && isBlank(this.#text.charCodeAt(this.#at))) this.#at++;
      if (this.#at < this.#text.length) return true;
      if (!(yield* this.#more())) return false;
    }
  }

  /** Passes everything up to a text and the text itself; `false` if it does not come. */
  *skip(text: string): Reading<boolean> {
    return (yield* this.take(text, 0)) !== undefined;
  }

  /**
   * Takes what stands before a text, and passes both; of what is longer than `most`, nothing is kept. `undefined` if it
   * does not come.
   */
  *take(text: string, most: number): Reading<string | undefined> {
    let taken = "";
    let long = false;
    while (true) {
      const end = this.#text.indexOf(text, this.#at);
      const to = end < 0 ? Math.max(this.#at, this.#text.length - text.length + 1) : end;
      long ||= taken.length + to - this.#at > most;
      if (!long) taken += this.#text.slice(this.#at, to);
      this.#at = end < 0 ? to : end + text.length;
      if (end >= 0) return long ? "" : taken;
      if (!(yield* this.#more())) return undefined;
    }
  }

  *#more(): Reading<boolean> {
    if (this.#ended) return false;
    const part = yield;
    this.#passed += this.#at;
    this.#text = this.#text.slice(this.#at) + (part ?? "");
    this.#at = 0;
    this.#ended = part === undefined;
    return !this.#ended;
  }
}

/** Blanks of XML, all other control characters, and the mark of the order of bytes. */
function isBlank(code: number): boolean {
  return code <= 0x20 || code === 0xfeff;
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
/** Entities inside of each other, and how long a value may become by them. */
const DEPTH = 4;
const LONGEST = 1024;

/** A value with its character references and entities replaced; those that are not known stay. */
export function unescaped(value: string, entities: ReadonlyMap<string, string>, depth = 0): string {
  if (!value.includes("&") || depth > DEPTH) return value;
  return value.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([\w:.-]{1,64}));/gi, (all, decimal, hex, name) => {
    if (name === undefined) {
      const code = decimal === undefined ? parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    }
    if (Object.hasOwn(NAMED, name)) return NAMED[name]!;
    const entity = entities.get(name);
    return entity === undefined ? all : unescaped(entity, entities, depth + 1).slice(0, LONGEST);
  }).slice(0, LONGEST);
}
