import { BadImage, type Parser } from "./parser.ts";
import { need, reaches, view } from "./bytes.ts";

const HEADER = 6;
const ENTRY = 16;

/**
 * Whether the first bytes are those of an icon or a cursor: it has no signature that deserves the name, so the first
 * entry counts too: where its image lies, or how long it is. Its reserved byte and its planes do not, since there are
 * programs that write anything there.
 */
export function isIco(head: Uint8Array): boolean {
  if (head.length < HEADER) return false;
  const data = view(head);
  const [kind, count] = [data.getUint32(0, true), data.getUint16(4, true)];
  if ((kind !== 0x0001_0000 && kind !== 0x0002_0000) || count === 0) return false;
  const isFirst = head.length >= HEADER + ENTRY;
  return !isFirst || data.getUint32(14, true) > 0 || data.getUint32(18, true) >= HEADER + count * ENTRY;
}

/** ICO and CUR: the largest of its images, which is what a browser shows where there is room. */
export function* parseIco(): Parser {
  const count = view(yield* need(4, 2, "an icon header")).getUint16(0, true);
  const entries = yield* need(HEADER, count * ENTRY, "an icon directory");
  const data = view(entries);
  let [width, height, end] = [0, 0, 0];
  for (let at = 0; at < entries.length; at += ENTRY) {
    const [w, h] = [entries[at] || 256, entries[at + 1] || 256];
    const [bytes, offset] = [data.getUint32(at + 8, true), data.getUint32(at + 12, true)];
    // Browsers do not heed how long one is said to be.
    if (offset < HEADER + entries.length) {
      throw new BadImage("invalid", "images behind the icon directory");
    }
    if (w * h > width * height) [width, height] = [w, h];
    end = Math.max(end, offset + bytes);
  }
  return { type: "image/vnd.microsoft.icon", width, height, truncated: !(yield* reaches(end)) };
}
