import { BadImage, type Parser } from "./parser.ts";
import { need, reaches, view } from "./bytes.ts";

/** Whether the first bytes are those of an icon: it has no signature that deserves the name, so the first entry counts too. */
export function isIco(head: Uint8Array): boolean {
  if (head.length < 6) return false;
  const data = view(head);
  if (data.getUint32(0, true) !== 0x0001_0000 || data.getUint16(4, true) === 0) return false;
  return head.length < 22 || (head[9] === 0 && data.getUint16(10, true) <= 1);
}

/** ICO: the largest of its images, which is what a browser shows where there is room. */
export function* parseIco(): Parser {
  const count = view(yield* need(4, 2, "an icon header")).getUint16(0, true);
  const entries = yield* need(6, count * 16, "an icon directory");
  const data = view(entries);
  let [width, height, end] = [0, 0, 0];
  for (let at = 0; at < entries.length; at += 16) {
    const [w, h] = [entries[at] || 256, entries[at + 1] || 256];
    const [bytes, offset] = [data.getUint32(at + 8, true), data.getUint32(at + 12, true)];
    if (bytes === 0 || offset < 6 + entries.length) throw new BadImage("invalid", "images behind the icon directory");
    if (w * h > width * height) [width, height] = [w, h];
    end = Math.max(end, offset + bytes);
  }
  return { type: "image/vnd.microsoft.icon", width, height, truncated: !(yield* reaches(end)) };
}
