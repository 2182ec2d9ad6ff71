/**
 * Requests of which each byte counts.
 *
 * @module
 */

/** What came back for one request. */
export interface RawAnswer {
  /** The status, or 0 where the connection ended without an answer. */
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

const encoder = new TextEncoder();

/**
 * Sends bytes to a server, and reads what it answers until it ends the connection.
 *
 * @param port Where it listens on 127.0.0.1.
 * @param request The request, of which each character stands for one byte. It should ask for the end of the connection.
 */
export async function sendRaw(port: number, request: string): Promise<RawAnswer> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const bytes = Uint8Array.from(request, (char) => char.charCodeAt(0));
  let at = 0;
  while (at < bytes.length) at += await connection.write(bytes.subarray(at));
  let text = "";
  const buffer = new Uint8Array(65_536);
  const decoder = new TextDecoder("latin1");
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      text += decoder.decode(buffer.subarray(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return parse(text);
}

/** A request without a body that ends its connection. */
export function rawRequest(
  method: string,
  target: string,
  host: string = "localhost",
  headers: readonly string[] = [],
): string {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, "Connection: close", "Content-Length: 0", ...headers];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** The bytes of a text in UTF-8, one character each, for {@linkcode sendRaw}. */
export function utf8(text: string): string {
  return String.fromCharCode(...encoder.encode(text));
}

function parse(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const [line = "", ...fields] = text.slice(0, end === -1 ? text.length : end).split("\r\n");
  const headers = new Headers();
  for (const field of fields) {
    const colon = field.indexOf(":");
    headers.append(field.slice(0, colon), field.slice(colon + 1).trim());
  }
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1] ?? 0);
  let body = end === -1 ? "" : text.slice(end + 4);
  if (headers.get("transfer-encoding") === "chunked") body = unchunk(body);
  return { status, headers, body };
}

function unchunk(text: string): string {
  let body = "";
  for (let at = 0;;) {
    const line = text.indexOf("\r\n", at);
    const size = parseInt(text.slice(at, line), 16);
    if (line === -1 || !(size > 0)) return body;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
