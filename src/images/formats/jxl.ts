import { BadImage, type Parser, type Shape } from "./parser.ts";
import { hasText, need, reaches } from "./bytes.ts";
import { Bits } from "./bits.ts";
import { boxAt, BOXES } from "./boxes.ts";

/** How a JPEG XL in boxes begins. */
const CONTAINER = "\0\0\0\x0cJXL \r\n\x87\n";
/** Bytes of a codestream in which all that is looked for lies. */
const HEADER = 64;
/** Width by height, by number (ISO/IEC 18181-1, table B.2). */
const RATIOS = [[0, 0], [1, 1], [12, 10], [4, 3], [3, 2], [16, 9], [5, 4], [2, 1]] as const;

/** Whether the first bytes are those of a JPEG XL. */
export function isJxl(head: Uint8Array): boolean {
  return (head[0] === 0xff && head[1] === 0x0a) || hasText(head, 0, CONTAINER);
}

/** JPEG XL (ISO/IEC 18181), as a codestream or in boxes. A codestream does not tell where it ends. */
export function* parseJxl(): Parser {
  const [first] = yield* need(0, 2, "a JPEG XL header");
  if (first === 0xff) return headerOf(yield { at: 0, length: HEADER });
  let shape: Shape | undefined;
  let whole = false;
  let at = CONTAINER.length;
  for (let i = 0; i < BOXES; i++) {
    const box = yield* boxAt(at);
    if (!box) break;
    if (box === "cut") return shapeOf(shape, true);
    const isPart = box.type === "jxlp";
    if (isPart) whole ||= isLast(yield* need(box.content, 4, "a part of a JPEG XL"));
    else whole ||= box.type === "jxlc";
    if (!shape && (isPart || box.type === "jxlc")) {
      const start = box.content + (isPart ? 4 : 0);
      shape = headerOf(yield { at: start, length: Math.min(HEADER, box.end - start) });
    }
    if (box.end === Infinity) break;
    if (!(yield* reaches(box.end))) return shapeOf(shape, true);
    at = box.end;
  }
  return shapeOf(shape, !whole);
}

/** Whether the number of a part, which it begins with, says that it is the last. */
function isLast(number: Uint8Array): boolean {
  return (number[0]! & 0x80) !== 0;
}

function shapeOf(shape: Shape | undefined, truncated: boolean): Shape {
  if (shape) return { ...shape, truncated };
  throw new BadImage("truncated", "a codestream in a JPEG XL, got none");
}

/** What the headers of a codestream say: size, orientation, animation. */
function headerOf(bytes: Uint8Array): Shape {
  if (bytes[0] !== 0xff || bytes[1] !== 0x0a) throw new BadImage("invalid", "a codestream in a JPEG XL");
  const bits = new Bits(bytes.subarray(2), { lowFirst: true });
  const { width, height } = sizeOf(bits);
  let orientation: number | undefined;
  let animated = false;
  if (!bits.flag() && bits.flag()) { // not all as usual, and more than depth and colours
    orientation = bits.read(3) + 1;
    if (bits.flag()) sizeOf(bits); // a size that is meant for the screen, of which browsers take no notice
    if (bits.flag()) skipPreview(bits);
    animated = bits.flag();
  }
  return {
    type: "image/jxl",
    width,
    height,
    ...(orientation !== undefined && orientation > 1 && { orientation }),
    ...(animated && { animated }),
    truncated: false,
  };
}

function sizeOf(bits: Bits): { width: number; height: number } {
  const small = bits.flag();
  const length = () => small ? (bits.read(5) + 1) * 8 : bits.read([9, 13, 18, 30][bits.read(2)]!) + 1;
  const height = length();
  const [across, down] = RATIOS[bits.read(3)]!;
  return { height, width: across === 0 ? length() : Math.floor(height * across / down) };
}

/** Passes over the size of a preview. */
function skipPreview(bits: Bits): void {
  const eighths = bits.flag();
  const lengths = eighths ? [0, 0, 5, 9] : [6, 8, 10, 12];
  bits.read(lengths[bits.read(2)]!);
  if (bits.read(3) === 0) bits.read(lengths[bits.read(2)]!);
}
