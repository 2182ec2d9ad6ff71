import { describe } from "../util/describe.ts";

/** The most bytes of a name: with what is put around it, it still makes a key. */
export const MAX_NAME_BYTES = 400;
/** The most parts of a name: each folder becomes a tag. */
const MAX_PARTS = 32;

// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;
/** A dot, a separator or NUL in percent-encoding, encoded again or not: a source that decodes must not meet it. */
const ENCODED = /%(?:25)*(?:2e|2f|5c|00)/i;
/** Devices of Windows, whatever their extension and the spaces before it. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d¹²³]) *(?:\.|$)/i;

const encoder = new TextEncoder();

/** What is wrong with a path, as the end of the sentence "wanted …"; `undefined` if nothing is. */
function problem(path: string): string | undefined {
  if (path === "") return "a name, got an empty string";
  const shown = describe(path);
  if (path.length > MAX_NAME_BYTES || encoder.encode(path).length > MAX_NAME_BYTES) {
    return `a name of at most ${MAX_NAME_BYTES} bytes, got ${shown}`;
  }
  if (CONTROL.test(path)) return `a name without control characters, got ${shown}`;
  if (/\p{Surrogate}/u.test(path)) return `a name of well-formed text, got ${shown}`;
  if (path.includes("\\")) return `a name without backslashes, got ${shown}`;
  if (path.startsWith("/") || /^[a-z]:/i.test(path)) return `a name relative to the root, got ${shown}`;
  if (ENCODED.test(path)) return `a name that is not percent-encoded, got ${shown}`;
  const parts = path.split("/");
  if (parts.length > MAX_PARTS) return `a name of at most ${MAX_PARTS} parts, got ${parts.length}`;
  for (const part of parts) {
    if (/^[. ]*$/.test(part)) return `a name without empty or dotted parts, got ${shown}`;
    if (DEVICE.test(part)) return `a name that is no device, got ${shown}`;
  }
  return undefined;
}

/**
 * Checks the name of an image.
 *
 * @param name What came.
 * @param action What was attempted, for the error.
 * @throws {TypeError} If it is no string.
 * @throws {RangeError} If it could mean anything outside the root.
 */
export function assertImageName(name: unknown, action: string): asserts name is string {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot ${action}: wanted a string as the name of the image, got ${describe(name)}`);
  }
  const wrong = problem(name);
  if (wrong !== undefined) throw new RangeError(`Cannot ${action}: wanted ${wrong}`);
}

/** Checks a name or a folder, which may end with a slash; `""` and `"/"` stand for everything. */
export function folderOf(path: unknown, action: string): string {
  if (path === "" || path === "/") return "";
  const bare = typeof path === "string" && path.endsWith("/") ? path.slice(0, -1) : path;
  assertImageName(bare, action);
  return bare;
}

/** The tag of an image or a folder. */
export function tagOf(path: string): string {
  return path === "" ? "image" : `image:${path}`;
}

/** The tags of an image: `image`, one for each folder it is in, and its own. */
export function tagsOf(name: string): string[] {
  const tags = [tagOf("")];
  for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) tags.push(tagOf(name.slice(0, at)));
  tags.push(tagOf(name));
  return tags;
}

/**
 * The name of the image that a request asks for: what follows the prefix in the path of its URL, decoded once.
 *
 * @param request The request, or its URL.
 * @param prefix Under which path images are served, as in `"/images/"`.
 * @returns The name, or `undefined` if the path is not below the prefix or cannot be decoded.
 * @throws {TypeError} If it is no request and no URL.
 *
 * @example The name in a URL
 * ```ts
 * import { imageNameOf } from "@larder/larder/images";
 * import assert from "node:assert/strict";
 *
 * assert.equal(imageNameOf("http://localhost/images/blue%20sky.jpg", "/images/"), "blue sky.jpg");
 * assert.equal(imageNameOf("http://localhost/about", "/images/"), undefined);
 * ```
 */
export function imageNameOf(request: Request | URL | string, prefix: string): string | undefined {
  const url = typeof request === "object" && request !== null && "url" in request ? request.url : request;
  if (!URL.canParse(String(url))) {
    throw new TypeError(
      `Cannot tell the name of an image: wanted a request or its whole URL, got ${describe(request)}`,
    );
  }
  const { pathname } = new URL(url);
  if (!pathname.startsWith(prefix)) return undefined;
  try {
    return decodeURIComponent(pathname.slice(prefix.length)) || undefined;
  } catch {
    return undefined;
  }
}
