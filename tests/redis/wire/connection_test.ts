import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type { RedisReply } from "../../../src/redis/client.ts";
import { Connection } from "../../../src/redis/wire/connection.ts";
import { type Intake, ProtocolError } from "../../../src/redis/wire/parser.ts";
import type { Socket } from "../../../src/redis/wire/socket.ts";

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

/** A socket whose other side is the test. */
class TestSocket implements Socket {
  readonly written: string[] = [];
  held = true;
  closed = 0;
  #intake: Intake | undefined;
  readonly #end = Promise.withResolvers<void>();
  #gate: PromiseWithResolvers<void> | undefined;

  read(intake: Intake): Promise<void> {
    this.#intake = intake;
    return this.#end.promise;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#gate?.promise;
    this.written.push(decoder.decode(bytes));
  }

  hold(held: boolean): void {
    this.held = held;
  }

  close(): void {
    this.closed++;
    this.#end.reject(new Error("closed here"));
  }

  /** Keeps writes back until the returned function is called. */
  block(): () => void {
    const gate = this.#gate = Promise.withResolvers();
    return () => {
      this.#gate = undefined;
      gate.resolve();
    };
  }

  says(text: string): void {
    const bytes = encoder.encode(text);
    this.#intake!.space().set(bytes);
    try {
      this.#intake!.filled(bytes.length);
    } catch (error) {
      this.#end.reject(error as Error); // as a socket does
    }
  }

  hangsUp(): void {
    this.#end.resolve();
  }
}

const echo = (text: string) => [{ name: "ECHO", args: [text], text: true }];
const settle = () => new Promise((resolve) => setTimeout(resolve));

/** The mark in front of a write. */
function markIn(text: string): string {
  return /PING\r\n\$\d+\r\n(\S+)\r\n/.exec(text)![1]!;
}

Deno.test("Connection sends what comes while a write is out as one piece after it", async () => {
  const socket = new TestSocket();
  const connection = new Connection(socket);
  const release = socket.block();
  const replies = ["a", "b", "c"].map((text) => connection.send(echo(text)));
  release();
  await settle();
  assertEquals(socket.written.length, 2);
  const marks = [...socket.written[1]!.matchAll(/PING\r\n\$\d+\r\n(\S+)\r\n/g)].map(([, mark]) => mark!);
  assertEquals(marks.length, 2);
  socket.says(`$1\r\na\r\n$${marks[0]!.length}\r\n${marks[0]}\r\n$1\r\nb\r\n`);
  socket.says(`$${marks[1]!.length}\r\n${marks[1]}\r\n$1\r\nc\r\n`);
  assertEquals(await Promise.all(replies), [["a"], ["b"], ["c"]]);
  connection.close(undefined);
});

Deno.test("Connection ends when a reply is missing, instead of taking each for the one before", async () => {
  const socket = new TestSocket();
  const connection = new Connection(socket);
  const [lost, next] = [connection.send(echo("lost")), connection.send(echo("next"))];
  for (const reply of [lost, next]) reply.catch(() => {});
  await settle();
  const mark = markIn(socket.written.join(""));
  socket.says(`$${mark.length}\r\n${mark}\r\n$4\r\nnext\r\n`);
  for (const reply of [lost, next]) await assertRejects(() => reply, ProtocolError, "one to a later command");
  assertInstanceOf(await connection.ended, ProtocolError);
  assertEquals(socket.closed, 1);
});

Deno.test("Connection ends when there is one reply too many", async (t) => {
  await t.step("between two writes", async () => {
    const socket = new TestSocket();
    const connection = new Connection(socket);
    const [first, second] = [connection.send(echo("a")), connection.send(echo("b"))];
    second.catch(() => {});
    await settle();
    socket.says("$1\r\na\r\n$1\r\nx\r\n");
    assertEquals(await first, ["a"]);
    await assertRejects(() => second, ProtocolError, "one to another command");
  });
  await t.step("when none is awaited", async () => {
    const socket = new TestSocket();
    const connection = new Connection(socket);
    const reply = connection.send(echo("a"));
    socket.says("$1\r\na\r\n$1\r\nx\r\n");
    assertEquals(await reply, ["a"]);
    assertInstanceOf(await connection.ended, ProtocolError);
  });
});

Deno.test("Connection takes the refusal of a server that is busy for a mark", async () => {
  const socket = new TestSocket();
  const connection = new Connection(socket);
  const replies = [connection.send(echo("a")), connection.send(echo("b"))];
  await settle();
  socket.says("-BUSY a script\r\n-BUSY a script\r\n-BUSY a script\r\n");
  const codes = (await Promise.all(replies)).flat().map((reply: RedisReply) => (reply as { code: string }).code);
  assertEquals(codes, ["BUSY", "BUSY"]);
  connection.close(undefined);
});

Deno.test("Connection keeps the process alive only while somebody waits for a reply", async () => {
  const socket = new TestSocket();
  const connection = new Connection(socket);
  const reply = connection.send(echo("a"));
  assertEquals(socket.held, true);
  socket.says("$1\r\na\r\n");
  assertEquals([await reply, socket.held], [["a"], false]);
  const again = connection.send(echo("b"));
  assertEquals(socket.held, true);
  socket.hangsUp();
  await assertRejects(() => again, Error, "The server closed the connection");
  assertEquals([connection.open, socket.closed], [false, 1]);
});

Deno.test("Connection is congested while much is not answered", async () => {
  const socket = new TestSocket();
  const connection = new Connection(socket);
  const reply = connection.send(echo("x".repeat(300_000)));
  assertEquals(connection.congested, true);
  socket.says("$1\r\na\r\n");
  await reply;
  assertEquals(connection.congested, false);
  connection.close(undefined);
});

Deno.test("Connection that is closed while it sends leaves no timer behind", async () => {
  const socket = new TestSocket();
  const connection = new Connection(socket);
  const gate = Promise.withResolvers<void>();
  socket.write = () => gate.promise;
  const reply = connection.send(echo("a"));
  connection.close(new Error("closed by its owner"));
  await assertRejects(() => reply, Error, "closed by its owner");
  gate.reject(new Error("the socket is closed"));
  await gate.promise.catch(() => {});
});
