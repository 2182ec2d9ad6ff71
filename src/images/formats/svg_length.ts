/** CSS pixels by unit (CSS Values and Units Level 4). */
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  px: 1,
  in: 96,
  cm: 96 / 2.54,
  mm: 96 / 25.4,
  q: 96 / 101.6,
  pt: 4 / 3,
  pc: 16,
};
/** Sizes of the font by unit. Of `ex` and `ch`, fonts say; this is what CSS has where they do not. */
const FONT_UNITS: Readonly<Record<string, number>> = {
  em: 1,
  rem: 1,
  ic: 1,
  ric: 1,
  ex: 0.5,
  rex: 0.5,
  ch: 0.5,
  rch: 0.5,
};
/** What only the font tells, so that nobody knows. */
const UNKNOWN_UNITS = /^r?(?:cap|lh)$/;
/** Parts of the window or a container: an image has neither, so that browsers take them for 0. */
const ROOM_UNITS = /^(?:[sld]?v|cq)(?:[whib]|min|max)$/;
const NUMBER = "(?:\\d{1,20}(?:\\.\\d{1,20})?|\\.\\d{1,20})(?:e[+-]?\\d{1,3})?";
const LENGTH = new RegExp(`^([+-]?${NUMBER})([a-z%]{0,5})$`, "i");
/** How `round()` does it. */
const ROUNDING: Readonly<Record<string, (value: number) => number>> = {
  nearest: Math.round,
  up: Math.ceil,
  down: Math.floor,
  "to-zero": Math.trunc,
};
const WORDS = "nearest|up|down|to-zero|pi|e";
const TOKEN = new RegExp(`\\s*(?:(${NUMBER})([a-z]{0,5})|([a-z]{3,5}\\(|(?:${WORDS})(?![\\w-])|[-+*/(),]))\\s*`, "iy");
/** What surrounds a value, by CSS. */
const BLANKS = /^[ \t\r\n\f]+|[ \t\r\n\f]+$/g;
/** Brackets inside of each other. */
const DEPTH = 16;

/**
 * A length in CSS pixels, a sum or a product of such, unless it depends on where it is shown; `NaN` if it is one that
 * only the font tells.
 *
 * @param value The text.
 * @param font The size of the font.
 */
export function pixelsOf(value: string, font: number): number | undefined {
  const text = value.replace(BLANKS, "");
  const [, number, unit = ""] = LENGTH.exec(text) ?? [];
  if (number !== undefined) return times(Number(number), factorOf(unit, font));
  if (!/^[a-z]{3,5}\(/i.test(text)) return undefined;
  const tokens = tokensOf(text, font);
  if (!tokens) return undefined;
  const sum = new Calculation(tokens).result();
  return sum === Infinity || sum === -Infinity ? undefined : sum;
}

function factorOf(unit: string, font: number): number | undefined {
  const name = unit.toLowerCase();
  if (name in UNITS) return UNITS[name];
  if (name in FONT_UNITS) return FONT_UNITS[name]! * font;
  return ROOM_UNITS.test(name) ? 0 : UNKNOWN_UNITS.test(name) ? NaN : undefined;
}

function times(number: number, factor: number | undefined): number | undefined {
  return factor === undefined ? undefined : number * factor;
}

type Token = number | string;

function tokensOf(text: string, font: number): Token[] | undefined {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const [whole, number, unit, sign] = TOKEN.exec(text) ?? [];
    if (whole === undefined) return undefined;
    if (sign !== undefined) tokens.push(sign.toLowerCase());
    else {
      const length = times(Number(number), factorOf(unit!, font));
      if (length === undefined) return undefined;
      tokens.push(length);
    }
  }
  return tokens;
}

const FUNCTIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  "(": (value) => value,
  "calc(": (value) => value,
  "min(": Math.min,
  "max(": Math.max,
  "clamp(": (least, value, most) => Math.max(least!, Math.min(value!, most!)),
  "mod(": (value, step) => value! - step! * Math.floor(value! / step!),
  "rem(": (value, step) => value! % step!,
  "abs(": Math.abs,
  "sign(": Math.sign,
  "sqrt(": Math.sqrt,
  "exp(": Math.exp,
  "log(": (value, base) => Math.log(value!) / (base === undefined ? 1 : Math.log(base)),
  "pow(": Math.pow as (...values: number[]) => number,
  "hypot(": Math.hypot,
  "sin(": Math.sin,
  "cos(": Math.cos,
  "tan(": Math.tan,
};
const CONSTANTS: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E };
/** How many values a function has that takes only so many. */
const COUNTS: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(["(", "calc(", "abs(", "sign(", "sqrt(", "exp(", "sin(", "cos(", "tan("].map((f) => [f, [1]])),
  ...Object.fromEntries(["mod(", "rem(", "pow("].map((f) => [f, [2]])),
  "log(": [1, 2],
  "round(": [1, 2],
  "clamp(": [3],
};

/** Sums, products and brackets (CSS Values and Units Level 4, section 10). */
class Calculation {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** What it comes to; `undefined` if it is none. */
  result(): number | undefined {
    const sum = this.#sum();
    return this.#at === this.#tokens.length ? sum : undefined;
  }

  #sum(): number | undefined {
    let sum = this.#product();
    while (sum !== undefined) {
      const sign = this.#tokens[this.#at];
      if (sign !== "+" && sign !== "-") return sum;
      this.#at++;
      const next = this.#product();
      sum = next === undefined ? undefined : sign === "+" ? sum + next : sum - next;
    }
  }

  #product(): number | undefined {
    let product = this.#value();
    while (product !== undefined) {
      const sign = this.#tokens[this.#at];
      if (sign !== "*" && sign !== "/") return product;
      this.#at++;
      const next = this.#value();
      product = next === undefined ? undefined : sign === "*" ? product * next : product / next;
    }
  }

  #value(): number | undefined {
    const token = this.#tokens[this.#at++];
    if (typeof token === "number") return token;
    if (token === "-" || token === "+") {
      const value = this.#value();
      return value === undefined ? undefined : token === "-" ? -value : value;
    }
    if (token === undefined) return undefined;
    if (Object.hasOwn(CONSTANTS, token)) return CONSTANTS[token];
    const compute = token === "round(" ? this.#rounding() : Object.hasOwn(FUNCTIONS, token) && FUNCTIONS[token];
    if (!compute || ++this.#depth > DEPTH) return undefined;
    const values: number[] = [];
    do {
      const value = this.#sum();
      if (value === undefined) return undefined;
      values.push(value);
    } while (this.#tokens[this.#at++] === ",");
    this.#depth--;
    if (this.#tokens[this.#at - 1] !== ")") return undefined;
    return COUNTS[token]?.includes(values.length) === false ? undefined : compute(...values);
  }

  /** Passes the strategy of `round()`, if there is one. */
  #rounding(): ((...values: number[]) => number) | undefined {
    let round = Math.round;
    const word = this.#tokens[this.#at];
    if (typeof word === "string" && Object.hasOwn(ROUNDING, word)) {
      round = ROUNDING[word]!;
      this.#at++;
      if (this.#tokens[this.#at++] !== ",") return undefined;
    }
    return (value, step = 1) => round(value! / step) * step;
  }
}
