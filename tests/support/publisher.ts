import type { RedisServer } from "./redis_server.ts";

/** Somebody who may publish, and nothing else. */
export class Publisher implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #reader = new Uint8Array(65_536);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Makes the user, and logs in as him. */
  static async start(server: RedisServer): Promise<Publisher> {
    await server.cli("ACL", "SETUSER", "publisher", "on", ">secret", "resetkeys", "allchannels", "-@all", "+publish");
    const publisher = new Publisher(await Deno.connect({ hostname: server.hostname, port: server.port }));
    await publisher.#send(["AUTH", "publisher", "secret"].map(bytesOf), 1);
    return publisher;
  }

  /** Publishes messages on a channel, and waits until they are delivered. */
  async publish(channel: string, ...messages: Uint8Array[]): Promise<void> {
    for (let i = 0; i < messages.length; i += 1000) {
      const part = messages.slice(i, i + 1000);
      await this.#send(part.flatMap((message) => [bytesOf("PUBLISH"), bytesOf(channel), message]), part.length);
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  /** Sends commands of so many words each, and waits for as many replies of one line. */
  async #send(words: readonly Uint8Array[], commands: number): Promise<void> {
    const size = words.length / commands;
    const pieces: Uint8Array[] = [];
    for (const [i, word] of words.entries()) {
      if (i % size === 0) pieces.push(bytesOf(`*${size}\r\n`));
      pieces.push(bytesOf(`$${word.length}\r\n`), word, bytesOf("\r\n"));
    }
    const all = new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
    const [replies] = await Promise.all([this.#replies(commands), write(this.#connection, all)]);
    if (replies.includes("-")) throw new Error(`Cannot publish: wanted numbers, got ${replies}`);
  }

  async #replies(lines: number): Promise<string> {
    let text = "";
    for (let seen = 0; seen < lines;) {
      const length = await this.#connection.read(this.#reader);
      if (length === null) throw new Error("Cannot publish: the connection has ended");
      const part = new TextDecoder().decode(this.#reader.subarray(0, length));
      seen += part.split("\n").length - 1;
      text += part;
    }
    return text;
  }
}

/** A message of the bell that carries a clock. */
export function message(kind: string, clock: number, text: string): Uint8Array {
  const tail = bytesOf(text);
  const bytes = new Uint8Array(9 + tail.length);
  bytes[0] = kind.charCodeAt(0);
  new DataView(bytes.buffer).setFloat64(1, clock);
  bytes.set(tail, 9);
  return bytes;
}

/** Text as bytes of Latin-1. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

async function write(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
