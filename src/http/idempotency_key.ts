import { parseItem } from "structured-headers";

const MOST = 255;
/** All but spaces, quotes, commas and semicolons. */
const PLAIN = /^[!#-+\-./0-:<-~]+$/;

/**
 * The key of a request with `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-06, section 2.1): a string
 * between quotes, and bare, as most clients send it.
 *
 * @param header The header.
 * @returns The key; `undefined` where there is no header, `null` where it is none.
 */
export function idempotencyKeyOf(header: string | null): string | null | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  let key: unknown = text;
  if (text.startsWith('"')) {
    try {
      [key] = parseItem(text);
    } catch {
      return null;
    }
  } else if (!PLAIN.test(text)) return null;
  return typeof key === "string" && key.length >= 1 && key.length <= MOST ? key : null;
}

/** The words of the answers to requests that are not handed on. */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  409: "Conflict",
  413: "Content Too Large",
  422: "Unprocessable Content",
  503: "Service Unavailable",
};

/** An answer that says what is wrong (RFC 9457). */
export function idempotencyProblem(status: number, detail: string, retryAfter?: number): Response {
  const headers = new Headers({ "content-type": "application/problem+json", "cache-control": "no-store" });
  if (retryAfter !== undefined) headers.set("retry-after", String(retryAfter));
  const problem = { type: "about:blank", title: TITLES[status], status, detail };
  return new Response(JSON.stringify(problem), { status, headers });
}
