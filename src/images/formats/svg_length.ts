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
const LENGTH = /^([+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:e[+-]?\d{1,3})?)\s*([a-z%]{0,3})$/i;
const TOKEN =
  /\s*(?:((?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:e[+-]?\d{1,3})?)([a-z]{0,3})|([a-z]{3,5}\(|[-+*/(),]))\s*/iy;
/** Brackets inside of each other. */
const DEPTH = 16;

/** A length in CSS pixels, a sum or a product of such, unless it depends on where it is shown. */
export function pixelsOf(value: string): number | undefined {
  const text = value.trim();
  const [, number, unit = ""] = LENGTH.exec(text) ?? [];
  if (number !== undefined) {
    const factor = UNITS[unit.toLowerCase()];
    return factor === undefined ? undefined : Number(number) * factor;
  }
  if (!/^(?:calc|min|max|clamp)\(/i.test(text)) return undefined;
  const tokens = tokensOf(text);
  if (!tokens) return undefined;
  const sum = new Calculation(tokens).result();
  return sum !== undefined && Number.isFinite(sum) ? sum : undefined;
}

type Token = number | string;

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const [whole, number, unit, sign] = TOKEN.exec(text) ?? [];
    if (whole === undefined) return undefined;
    if (sign !== undefined) tokens.push(sign.toLowerCase());
    else {
      const factor = UNITS[unit!.toLowerCase()];
      if (factor === undefined) return undefined;
      tokens.push(Number(number) * factor);
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
    const compute = token === undefined || !Object.hasOwn(FUNCTIONS, token) ? undefined : FUNCTIONS[token];
    if (!compute || ++this.#depth > DEPTH) return undefined;
    const values: number[] = [];
    do {
      const value = this.#sum();
      if (value === undefined) return undefined;
      values.push(value);
    } while (this.#tokens[this.#at++] === ",");
    this.#depth--;
    const single = token === "(" || token === "calc(";
    if (this.#tokens[this.#at - 1] !== ")" || (single && values.length > 1)) return undefined;
    return token === "clamp(" && values.length !== 3 ? undefined : compute(...values);
  }
}
