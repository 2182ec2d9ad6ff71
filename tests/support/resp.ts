/** A reply as text, numbers and lists. */
export type RespReply = string | number | null | RespReply[];

/** Redis answered with an error reply. */
export class RespError extends Error {
  override readonly name: string = "RespError";
}

/** Where a server is and how to log in. */
export interface RespAddress {
  hostname: string;
  port: number;
  username?: string;
  password?: string;
  db?: number;
  tls?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Sends commands over a connection of their own and reads the replies; error replies come in place.
 *
 * @param address The server.
 * @param commands The commands, sent in one write.
 * @returns The replies in order.
 */
export async function exchange(address: RespAddress, commands: string[][]): Promise<(RespReply | RespError)[]> {
  const { hostname, port, username, password, db, tls } = address;
  const login: string[][] = [];
  if (password !== undefined) login.push(username ? ["AUTH", username, password] : ["AUTH", password]);
  if (db) login.push(["SELECT", String(db)]);
  using connection = tls ? await Deno.connectTls({ hostname, port }) : await Deno.connect({ hostname, port });
  await writeAll(connection, encoder.encode([...login, ...commands].map(encode).join("")));
  const reader = new Reader(connection);
  const replies: (RespReply | RespError)[] = [];
  for (let i = 0; i < login.length + commands.length; i++) replies.push(await reader.reply());
  const refused = replies.slice(0, login.length).find((reply) => reply instanceof RespError);
  if (refused) throw refused;
  return replies.slice(login.length);
}

/** Reads `redis://user:password@host:port/db`, or `rediss://…`. */
export function parseRedisUrl(text: string): RespAddress {
  const url = new URL(text);
  const db = Number(url.pathname.slice(1));
  return {
    hostname: url.hostname,
    port: Number(url.port || 6379),
    tls: url.protocol === "rediss:",
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(db && { db }),
  };
}

function encode(command: string[]): string {
  const parts = command.map((part) => `$${encoder.encode(part).length}\r\n${part}\r\n`);
  return `*${command.length}\r\n${parts.join("")}`;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

class Reader {
  readonly #connection: Deno.Conn;
  #bytes = new Uint8Array(0);

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  async reply(): Promise<RespReply | RespError> {
    const line = decoder.decode(await this.#line());
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        return new RespError(rest);
      case ":":
        return Number(rest);
      case "$": {
        if (rest === "-1") return null;
        const bulk = await this.#take(Number(rest) + 2);
        return decoder.decode(bulk.subarray(0, -2));
      }
      case "*": {
        if (rest === "-1") return null;
        const list: RespReply[] = [];
        for (let i = 0; i < Number(rest); i++) {
          const item = await this.reply();
          if (item instanceof RespError) throw item;
          list.push(item);
        }
        return list;
      }
      default:
        throw new TypeError(`Cannot read reply: wanted a RESP2 type, got "${line}"`);
    }
  }

  async #line(): Promise<Uint8Array> {
    for (;;) {
      const end = this.#bytes.indexOf(10);
      if (end >= 0) return (await this.#take(end + 1)).subarray(0, -2);
      await this.#more();
    }
  }

  async #take(length: number): Promise<Uint8Array> {
    while (this.#bytes.length < length) await this.#more();
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  async #more(): Promise<void> {
    const chunk = new Uint8Array(64 * 1024);
    const size = await this.#connection.read(chunk);
    if (size === null) throw new Deno.errors.UnexpectedEof("The server closed the connection");
    const joined = new Uint8Array(this.#bytes.length + size);
    joined.set(this.#bytes);
    joined.set(chunk.subarray(0, size), this.#bytes.length);
    this.#bytes = joined;
  }
}
