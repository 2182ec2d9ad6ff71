import { pixelsOf } from "./svg_length.ts";

/** What browsers take for `medium`, in pixels. */
const MEDIUM = 16;
const KEYWORDS: Readonly<Record<string, number>> = {
  "xx-small": 9,
  "x-small": 10,
  small: 13,
  medium: MEDIUM,
  large: 18,
  "x-large": 24,
  "xx-large": 32,
  "xxx-large": 48,
  larger: MEDIUM * 1.2,
  smaller: MEDIUM / 1.2,
};

/** The size of the font of the root element, which `em` goes by: what its style says, else its attribute. */
export function fontSizeOf(style: string | undefined, attribute: string | undefined): number {
  const declared = style?.replace(/\/\*[^]*?\*\//g, "").split(";")
    .findLast((declaration) => /^\s*font-size\s*:/i.test(declaration));
  const value = declared?.slice(declared.indexOf(":") + 1).replace(/!\s*important\s*$/i, "");
  return sizeOf(value ?? "") ?? sizeOf(attribute ?? "") ?? MEDIUM;
}

function sizeOf(value: string): number | undefined {
  const text = value.trim().toLowerCase();
  if (Object.hasOwn(KEYWORDS, text)) return KEYWORDS[text];
  const percent = /^(\d{1,9}(?:\.\d{1,9})?)%$/.exec(text)?.[1];
  const size = percent === undefined ? pixelsOf(text, MEDIUM) : MEDIUM * Number(percent) / 100;
  return size !== undefined && size >= 0 ? size : undefined;
}
