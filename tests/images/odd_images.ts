import { gzipSync } from "node:zlib";
import { jpegsWithOddExif, transformedAvifs } from "./odd_transforms.ts";
import { be32, bytesOf } from "./probing.ts";
import { fixture } from "./support.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Images as programs write them that do not keep to the letter of their format, made from fixtures; with the size that
 * browsers show.
 */
export interface OddImage {
  readonly bytes: Bytes;
  /** Width and height as shown; nothing where browsers show none, but the image has a size. */
  readonly size: readonly [width: number, height: number];
  readonly orientation?: number;
  readonly truncated?: true;
}

const le16 = (n: number): number[] => [n & 255, n >>> 8];
const le32 = (n: number): number[] => [n & 255, n >>> 8 & 255, n >>> 16 & 255, n >>> 24 & 255];
const be16 = (n: number): number[] => [n >>> 8, n & 255];
const svg = (text: string): Bytes => new TextEncoder().encode(text);
const NS = 'xmlns="http://www.w3.org/2000/svg"';

function joined(...parts: (Uint8Array | number[] | string)[]): Bytes {
  return bytesOf(...parts.map((part) => part instanceof Uint8Array ? [...part] : part));
}

function patched(bytes: Uint8Array, at: number, patch: number[]): Bytes {
  const copy = bytes.slice() as Bytes;
  copy.set(patch, at);
  return copy;
}

const junk = (length: number): number[] => Array.from({ length }, (_, i) => i % 251);
const box = (type: string, ...content: (Uint8Array | number[] | string)[]): Bytes => {
  const body = joined(...content);
  return joined(be32(8 + body.length), type, body);
};

/** All of them by name. */
export async function oddImages(): Promise<Record<string, OddImage>> {
  const size = [47, 31] as const;
  return {
    ...jpegs(await fixture("jpeg.jpg"), size),
    ...avifs(await fixture("avif.avif"), size),
    ...icons(await fixture("ico.ico")),
    ...svgs(),
    ...gifs(await fixture("gif.gif")),
    ...bitmaps(size),
    ...await pngs(size),
    ...await jpegsWithOddExif(),
    ...await transformedAvifs(),
  };
}

/** Where the segments of a JPEG begin. */
function segmentsOf(jpeg: Uint8Array): number[] {
  const places: number[] = [];
  for (let at = 2; places.length < 100; at += 2 + jpeg[at + 2]! * 256 + jpeg[at + 3]!) {
    places.push(at);
    if (jpeg[at + 1] === 0xda) break;
  }
  return places;
}

function jpegs(jpeg: Bytes, size: OddImage["size"]): Record<string, OddImage> {
  const places = segmentsOf(jpeg);
  const stray = (place: number, bytes: number[]) => {
    const at = places.at(place)!;
    return { bytes: joined(jpeg.subarray(0, at), bytes, jpeg.subarray(at)), size };
  };
  return {
    "stray zeros.jpg": stray(1, Array(10).fill(0)),
    "stray text.jpg": stray(2, [...bytesOf("made by a scanner")]),
    "many strays.jpg": stray(2, junk(100_000).map((byte) => byte === 255 ? 0 : byte)),
    "strays that look coded.jpg": stray(1, [0xff, 0, 0xff, 0]),
    "a stray restart.jpg": stray(1, [0xff, 0xd0]),
    "strays before the scan.jpg": stray(-1, [1, 2, 3]),
    "fill bytes.jpg": stray(1, [0xff, 0xff, 0xff]),
    "a film behind it.jpg": { bytes: joined(jpeg, box("ftyp", "mp42"), box("mdat", junk(150_000))), size },
    "a thumbnail behind it.jpg": { bytes: joined(jpeg, jpeg), size },
    "no end but a film.jpg": { bytes: joined(jpeg.subarray(0, -2), Array(70_000).fill(0)), size, truncated: true },
    "cut.jpg": { bytes: jpeg.slice(0, -40) as Bytes, size, truncated: true },
  };
}

/** The boxes in bytes: where they begin and end. */
function boxesOf(bytes: Uint8Array, from = 0): Map<string, [at: number, end: number]> {
  const found = new Map<string, [number, number]>();
  const data = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = from; at + 8 <= bytes.length;) {
    const length = data.getUint32(at) || bytes.length - at;
    found.set(String.fromCharCode(...bytes.subarray(at + 4, at + 8)), [at, at + length]);
    at += length;
  }
  return found;
}

function avifs(avif: Bytes, size: OddImage["size"]): Record<string, OddImage> {
  const boxes = boxesOf(avif);
  const [[meta, metaEnd], [data, dataEnd]] = [boxes.get("meta")!, boxes.get("mdat")!];
  const pixels = avif.subarray(data + 8, dataEnd);
  const open = patched(avif, data, [0, 0, 0, 0]); // its data reach to the end of the file
  const inside = (before: number, endless: boolean): Bytes => {
    const whole = avif.subarray(meta, metaEnd);
    const kept = [...boxesOf(whole, 12)].map(([type, [at, end]]) =>
      type !== "iloc" ? whole.subarray(at, end) : box(
        "iloc",
        [1, 0, 0, 0, 0x44, 0, ...be16(1), ...be16(1), ...be16(1), ...be16(0), ...be16(1)], // one item, in idat
        [...be32(before), ...be32(pixels.length)],
      )
    );
    const idat = box("idat", Array(before).fill(0), pixels);
    const full = box("meta", [0, 0, 0, 0], ...kept, idat);
    return joined(avif.subarray(0, meta), endless ? patched(full, 0, [0, 0, 0, 0]) : full);
  };
  return {
    "data to the end.avif": { bytes: open, size },
    "data to the end, cut.avif": { bytes: open.slice(0, -20) as Bytes, size, truncated: true },
    "pixels in meta.avif": { bytes: inside(0, false), size },
    "pixels in meta of 2 MB.avif": { bytes: inside(2_000_000, false), size },
    "meta to the end.avif": { bytes: inside(0, true), size },
    "meta to the end, cut.avif": { bytes: inside(0, true).slice(0, -20) as Bytes, size, truncated: true },
  };
}

function icons(ico: Bytes): Record<string, OddImage> {
  const size = [32, 32] as const;
  return {
    "reserved byte of .NET.ico": { bytes: patched(ico, 9, [255]), size },
    "of no length.ico": { bytes: patched(ico, 14, [0, 0, 0, 0]), size },
    "five planes.ico": { bytes: patched(ico, 10, [5, 0]), size },
    "a cursor.cur": { bytes: patched(patched(ico, 2, [2]), 10, [5, 0, 7, 0]), size },
  };
}

function svgs(): Record<string, OddImage> {
  const drawing = "x".repeat(1_500_000);
  const texts: Record<string, [text: string, width: number, height: number]> = {
    "a drawing in an attribute.svg": [`<svg ${NS} content="${drawing}" width="77" height="33"></svg>`, 77, 33],
    "character references.svg": [`<svg ${NS} width="&#49;2&#x30;" height="33"></svg>`, 120, 33],
    "entities.svg": [
      `<!DOCTYPE svg [<!ENTITY w "120"><!ENTITY h '&#51;3'>]><svg ${NS} width="&w;" height="&h;"></svg>`,
      120,
      33,
    ],
    "calc.svg": [`<svg ${NS} width="calc(1in + 4px)" height="calc(2 * (10px + 5px))"></svg>`, 100, 30],
    "min and max.svg": [`<svg ${NS} width="min(30px,20px)" height="max(3px, 9px)"></svg>`, 20, 9],
    "comments in a DOCTYPE.svg": [
      `<!DOCTYPE svg [<!-- don't ]> --><?a it's ]> ?><!ENTITY w "12">]><svg ${NS} width="&w;" height="33"></svg>`,
      12,
      33,
    ],
    "em of a font size.svg": [`<svg ${NS} font-size="20" width="10em" height="5rem"></svg>`, 200, 100],
    "em of a style.svg": [
      `<svg ${NS} font-size="9" style="/* ; */FONT-SIZE: 2em !important;color:red" width="10em" height="5em"></svg>`,
      320,
      160,
    ],
    "em of a keyword.svg": [`<svg ${NS} font-size="large" width="10em" height="5ic"></svg>`, 180, 90],
    "round.svg": [`<svg ${NS} width="round(up, 13px, 5px)" height="calc(sqrt(16) * pi * 1px)"></svg>`, 15, 13],
    "remainders.svg": [`<svg ${NS} width="mod(-13px, 5px)" height="hypot(3px, abs(-4px))"></svg>`, 2, 5],
    "a blank before the unit.svg": [`<svg ${NS} width="10 px" height="20"></svg>`, 300, 20],
    "a dot and nothing behind.svg": [`<svg ${NS} width="10." height="20"></svg>`, 300, 20],
    "a long comment behind.svg": [`<svg ${NS} width="12" height="33"></svg><!--${"y".repeat(100_000)}-->`, 12, 33],
    "a million wide.svg": [`<svg ${NS} width="1000000" height="1000000"></svg>`, 1_000_000, 1_000_000],
    "a prefix of other letters.svg": [`<ü:svg xmlns:ü="http://www.w3.org/2000/svg" width="12" height="33"/>`, 12, 33],
    "a viewBox that is none.svg": [`<svg ${NS} viewBox="0 0 0x10 0x10"></svg>`, 300, 150],
    "an infinite viewBox.svg": [`<svg ${NS} viewBox="0 0 Infinity 20"></svg>`, 300, 150],
    "a namespace of Illustrator.svg": [
      `<!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg">]><svg xmlns="&ns;" width="12" height="33"></svg>`,
      12,
      33,
    ],
  };
  return {
    ...Object.fromEntries(
      Object.entries(texts).map(([name, [text, ...size]]) => [name, { bytes: svg(text), size }]),
    ),
    ...compressed(new Uint8Array(gzipSync(svg(`<svg ${NS} width="12" height="33"></svg>`)))),
  };
}

/** Browsers do not look at what is behind the data. */
function compressed(svgz: Bytes): Record<string, OddImage> {
  const size = [12, 33] as const;
  const kinds: Record<string, Bytes> = {
    "compressed.svgz": svgz,
    "padding.svgz": joined(svgz, Array(600).fill(0)),
    "text behind it.svgz": joined(svgz, "made by a drawing program"),
    "no trailer.svgz": svgz.slice(0, -8) as Bytes,
    "another checksum.svgz": patched(svgz, svgz.length - 6, [1, 2]),
    "a name and a comment.svgz": joined(
      [0x1f, 0x8b, 8, 0x18, 0, 0, 0, 0, 0, 3],
      "a.svg\0",
      "drawn\0",
      svgz.subarray(10),
    ),
    "a field and a flag.svgz": joined([0x1f, 0x8b, 8, 0x24, 0, 0, 0, 0, 0, 3, 3, 0, 1, 2, 3], svgz.subarray(10)),
  };
  return Object.fromEntries(Object.entries(kinds).map(([name, bytes]) => [name, { bytes, size }]));
}

function gifs(gif: Bytes): Record<string, OddImage> {
  const descriptor = gif.findLastIndex((byte, at) => byte === 0x2c && gif[at + 5] === 47 && gif[at + 7] === 31);
  const screen = (width: number, height: number, left = 0, top = 0) =>
    patched(patched(gif, 6, [...le16(width), ...le16(height)]), descriptor + 1, [...le16(left), ...le16(top)]);
  return {
    "a frame beyond the screen.gif": { bytes: screen(10, 10), size: [47, 31] },
    "a screen of 0 x 0.gif": { bytes: screen(0, 0), size: [47, 31] },
    "a screen of 0 x 100.gif": { bytes: screen(0, 100), size: [47, 100] },
    "a screen beyond the frame.gif": { bytes: screen(100, 90), size: [100, 90] },
    "a frame away from the corner.gif": { bytes: screen(10, 10, 20, 20), size: [67, 51] },
  };
}

function bitmaps(size: OddImage["size"]): Record<string, OddImage> {
  const row = Math.ceil(47 * 3 / 4) * 4;
  const os2 = (header: number): Bytes => {
    const info = [...le32(header), ...le32(47), ...le32(31), ...le16(1), ...le16(24), ...Array(108).fill(0)];
    const pixels = Array(row * 31).fill(64);
    return joined(
      "BM",
      le32(14 + header + pixels.length),
      [0, 0, 0, 0],
      le32(14 + header),
      info.slice(0, header),
      pixels,
    );
  };
  const lengths = [16, 20, 24, 36, 40, 42, 46, 48, 52, 56, 60, 64, 108];
  const rle = joined("BM", le32(0), [0, 0, 0, 0], le32(62), [
    ...[...le32(40), ...le32(47), ...le32(31), ...le16(1), ...le16(8), ...le32(1), ...le32(31 * 4 + 2)],
    ...[...le32(0), ...le32(0), ...le32(2), ...le32(0), 0, 0, 255, 0, 255, 0, 0, 0],
    ...Array.from({ length: 31 }, () => [47, 1, 0, 0]).flat(),
    ...[0, 1],
  ]);
  return {
    ...Object.fromEntries(lengths.map((length) => [`a header of ${length}.bmp`, { bytes: os2(length), size }])),
    "RLE.bmp": { bytes: rle, size },
    "RLE, cut.bmp": { bytes: rle.slice(0, -30) as Bytes, size, truncated: true },
  };
}

async function pngs(size: OddImage["size"]): Promise<Record<string, OddImage>> {
  const png = await fixture("png_orientation_6.png");
  const chunks: [type: string, bytes: Uint8Array][] = [];
  const data = new DataView(png.buffer);
  for (let at = 8; at < png.length; at += 12 + data.getUint32(at)) {
    chunks.push([String.fromCharCode(...png.subarray(at + 4, at + 8)), png.subarray(at, at + 12 + data.getUint32(at))]);
  }
  const exif = chunks.find(([type]) => type === "eXIf")![1];
  const others = chunks.filter(([type]) => type !== "eXIf").map(([, bytes]) => bytes);
  const [head, ...rest] = others;
  const signature = png.subarray(0, 8);
  return {
    "EXIF before the pixels.png": { bytes: joined(signature, head!, exif, ...rest), size: [31, 47], orientation: 6 },
    "EXIF of another checksum.png": {
      bytes: joined(signature, head!, patched(exif, exif.length - 1, [exif.at(-1)! ^ 1]), ...rest),
      size,
    },
    "EXIF behind the pixels.png": {
      bytes: joined(signature, ...others.slice(0, -1), exif, others.at(-1)!),
      size,
      orientation: 6,
    },
  };
}
