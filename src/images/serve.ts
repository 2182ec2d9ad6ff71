import { type Conditions, evaluate, rangeOf } from "./conditions.ts";
import { coded, codingFor, etagOf } from "./coding.ts";
import type { ServeImageOptions } from "./options.ts";
import type { SentImage } from "./sent_image.ts";

/** Finds an image; opens it if the function gives a range. */
export type OpenImage = (
  range?: (info: SentImage) => { start: number; end: number } | undefined,
) => Promise<{ info: SentImage; body?: ReadableStream<Uint8Array> } | undefined>;

/** An SVG is a document: opened by itself, it may do nothing but show what it brings along. */
const SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox";

/** Answers a request with an image (RFC 9110, with ranges of one part). */
export async function serveImage(open: OpenImage, request: Request, options: ServeImageOptions): Promise<Response> {
  const { method } = request;
  if (method !== "GET" && method !== "HEAD") return refused(405, "Method Not Allowed", { allow: "GET, HEAD" });
  const conditions: Conditions = request.headers;
  let status = 200;
  let range: { start: number; end: number } | undefined;
  const found = await open((info) => {
    // Asked again if the image has changed since.
    const coding = codingFor(info, conditions);
    status = evaluate(conditions, { ...info, etag: etagOf(info.etag, coding) });
    range = undefined;
    if (status !== 200) return undefined;
    const wanted = method === "GET" && coding === "as-is" ? rangeOf(conditions, info) : undefined;
    if (wanted === "unsatisfiable") status = 416;
    else if (wanted) [status, range] = [206, wanted];
    return status === 416 || method === "HEAD" ? undefined : range ?? { start: 0, end: info.size - 1 };
  });
  if (!found) return refused(404, "Not Found");
  const { info, body } = found;
  if (status === 412) return refused(412, "Precondition Failed");
  if (status === 416) return refused(416, "Range Not Satisfiable", { "content-range": `bytes */${info.size}` });
  const coding = codingFor(info, conditions);
  const headers = headersOf({ ...info, etag: etagOf(info.etag, coding) }, options);
  if (status === 304) return new Response(null, { status, headers });
  headers.set("content-type", info.type);
  if (coding === "compress" || (coding === "as-is" && info.encoding)) headers.set("content-encoding", "gzip");
  if (coding === "as-is") {
    headers.set("accept-ranges", "bytes");
    headers.set("content-length", String(range ? range.end - range.start + 1 : info.size));
  }
  if (range) headers.set("content-range", `bytes ${range.start}-${range.end}/${info.size}`);
  return new Response(body ? coded(body, coding) : null, { status, headers });
}

function headersOf(info: SentImage, options: ServeImageOptions): Headers {
  const headers = new Headers(options.headers);
  headers.set("cache-control", options.cacheControl ?? "no-cache");
  headers.set("etag", info.etag);
  if (info.timestamp > 0) headers.set("last-modified", new Date(info.timestamp).toUTCString());
  headers.set("x-content-type-options", "nosniff");
  if (info.type !== "image/svg+xml") return headers;
  headers.set("content-security-policy", SVG_POLICY);
  headers.append("vary", "accept-encoding");
  return headers;
}

function refused(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { ...headers, "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });
}
