import type { ConnectOptions } from "../../src/connect/options.ts";
import { connect, type Larder } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

/** Opens Larder on the store under test. All that is opened shares what is stored. */
export type Open = (options?: Partial<ConnectOptions>) => Promise<Larder>;

/** Declares a test of what browsers see, once for the embedded store and once for Redis. */
export function onBothStores(
  name: string,
  run: (open: Open) => Promise<void>,
  options: { ignore?: boolean } = {},
): void {
  // Nothing here is about deadlines, and the machine may be busy.
  const patient = { commandTimeout: "10s" } as const;
  Deno.test(`${name}, embedded`, options, () => run((given) => connect({ ...patient, url: "memory:", ...given })));
  Deno.test(`${name}, on Redis`, options, async () => {
    await using server = await RedisServer.start();
    await run((given) => connect({ ...patient, url: server.url, ...given }));
  });
}

/** A service on a free port, for as long as the test. */
export interface Service extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

/** Serves requests on loopback. */
export function serve(handler: Deno.ServeHandler<Deno.NetAddr>): Service {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  return {
    port: server.addr.port,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** What came back over a socket, byte for byte. */
export interface Answer {
  readonly status: number;
  /** All lines of the head behind the first. */
  readonly lines: readonly string[];
  /** Each `Set-Cookie`. */
  readonly cookies: readonly string[];
  /** The value of a header; several are joined by a comma. */
  readonly header: (name: string) => string | undefined;
  readonly body: string;
}

/** Sends a request as bytes (each character is one), and reads the answer to its end. */
export async function ask(
  { port }: { readonly port: number },
  path: string,
  headers: readonly string[] = [],
  { method = "GET", body = "", chunked = "" }: { method?: string; body?: string; chunked?: string } = {},
): Promise<Answer> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const length = body === "" ? [] : [`Content-Length: ${body.length}`];
  const head = [`${method} ${path} HTTP/1.1`, "Host: localhost", "Connection: close", ...length, ...headers];
  const bytes = Uint8Array.from(`${head.join("\r\n")}\r\n\r\n${body}${chunked}`, (char) => char.charCodeAt(0));
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  let text = "";
  const chunk = new Uint8Array(16_384);
  for (let read: number | null; (read = await connection.read(chunk)) !== null;) {
    for (const byte of chunk.subarray(0, read)) text += String.fromCharCode(byte);
  }
  const [above = "", ...rest] = text.split("\r\n\r\n");
  const [first = "", ...lines] = above.split("\r\n");
  const values = (name: string) =>
    lines.filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
      .map((line) => line.slice(name.length + 1).replace(/^ /, "")); // trim() takes away what is part of a cookie
  return {
    status: Number(first.split(" ")[1]),
    lines,
    cookies: values("set-cookie"),
    header: (name) => values(name).join(", ") || undefined,
    body: values("transfer-encoding").includes("chunked") ? joined(rest.join("\r\n\r\n")) : rest.join("\r\n\r\n"),
  };
}

/** A body that comes in chunks. */
function joined(text: string): string {
  const size = parseInt(text, 16);
  if (!size) return "";
  const start = text.indexOf("\r\n") + 2;
  return text.slice(start, start + size) + joined(text.slice(start + size + 2));
}

/** The first `name=value` that an answer sets. */
export function pairOf({ cookies: [cookie] }: Answer): string {
  if (!cookie) throw new Error("The answer sets no cookie");
  return cookie.split(";")[0]!;
}
