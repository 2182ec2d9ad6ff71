import { Gunzip } from "./gunzip.ts";
import type { SentImage } from "./sent_image.ts";

/** What happens to the bytes of an image on their way: nothing, or the coding of an SVG is put on or taken off. */
export type Coding = "as-is" | "compress" | "decompress";

/** SVG of fewer bytes are not worth it. */
const LEAST = 1024;
/** What becomes longer is sent compressed to everybody: a small file must not make a server send very much. */
const INFLATED_MOST = 8 * 2 ** 20;

/** What a client is sent, by its `Accept-Encoding` (RFC 9110, section 12.5.3). */
export function codingFor(
  { type, encoding, size, inflated = 0 }: Pick<SentImage, "type" | "encoding" | "size" | "inflated">,
  headers: Pick<Headers, "get">,
): Coding {
  if (type !== "image/svg+xml") return "as-is";
  const accepts = acceptsGzip(headers.get("accept-encoding"));
  if (encoding === "gzip") return accepts || inflated > INFLATED_MOST ? "as-is" : "decompress";
  // Ranges are of the image as it is.
  return accepts && size >= LEAST && headers.get("range") === null ? "compress" : "as-is";
}

/** Whether a client says that it takes gzip. */
export function acceptsGzip(header: string | null): boolean {
  let any = false;
  for (const part of (header ?? "").slice(0, 1024).split(",")) {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const weight = parameters.find((text) => text.startsWith("q="));
    const wanted = weight === undefined || Number(weight.slice(2)) > 0;
    if (name === "gzip" || name === "x-gzip") return wanted;
    if (name === "*") any = wanted;
  }
  return any;
}

/** The entity tag of what is sent: other bytes have another one (RFC 9110, section 8.8.3). */
export function etagOf(etag: string, coding: Coding): string {
  return coding === "as-is" ? etag : `${etag.slice(0, -1)}-${coding === "compress" ? "gzip" : "identity"}"`;
}

/** The bytes as they are sent. */
export function coded(body: ReadableStream<Uint8Array>, coding: Coding): ReadableStream<Uint8Array> {
  if (coding === "as-is") return body;
  if (coding === "decompress") return decompressed(body);
  return body.pipeThrough(new CompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>);
}

function decompressed(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const gunzip = new Gunzip();
  const parts = gunzip.output[Symbol.asyncIterator]();
  const reader = body.getReader();
  let failed: { error: unknown } | undefined;
  const pump = async () => {
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) await gunzip.write(part.value);
      gunzip.end();
    } catch (error) {
      failed = { error };
      gunzip.stop();
    }
  };
  return new ReadableStream<Uint8Array>({
    start: () => void pump(),
    async pull(controller) {
      const { done, value } = await parts.next();
      if (failed) throw failed.error;
      if (!done) return controller.enqueue(value);
      controller.close();
      await reader.cancel(); // of what is behind the data
    },
    async cancel(reason) {
      gunzip.stop();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
