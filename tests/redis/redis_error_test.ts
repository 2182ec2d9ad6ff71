import { assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../mod.ts";
import { RedisError } from "../../src/errors.ts";

const EVIL = "\x1b[31mall is well\x07\u202e";

Deno.test("RedisError has no control characters of what a server said", () => {
  const error = new RedisError(`WRONGTYPE Operation ${EVIL} done`);
  assertEquals([error.code, error.message], ["WRONGTYPE", "WRONGTYPE Operation  [31mall is well  done"]);
});

Deno.test("Errors of a login, health() and ready() have no control characters of the server", async () => {
  for (const code of ["WRONGPASS", "LOADING", "NOPERM", "MOVED", "ERR"]) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = serve(listener, `-${code} ${EVIL}\r\n`);
    const url = `redis://127.0.0.1:${listener.addr.port}`;
    const texts: string[] = [];
    const on = (event: object) => texts.push(Deno.inspect(event, { depth: 9 }));
    try {
      await using redis = await connect({ url, connectTimeout: "300ms", on });
      const error = await redis.ready({ timeout: "50ms" }).catch((error: Error) => error) as Error;
      texts.push(error.message, String(error.cause), JSON.stringify(await redis.health()));
    } catch (error) {
      texts.push((error as Error).message);
    }
    listener.close();
    await serving;
    assertMatch(texts.join("\n"), /all is well/, code);
    for (const text of texts) assertEquals(/(?!\n)\p{Cc}|\u202e|\\u001b|\\x1b/u.exec(text)?.[0], undefined, text);
  }
});

/** Answers each command with the same reply, until the listener is closed and all clients have gone. */
async function serve(listener: Deno.Listener, reply: string): Promise<void> {
  const served: Promise<void>[] = [];
  for await (const connection of listener) served.push(answer(connection, reply));
  await Promise.all(served);
}

async function answer(connection: Deno.Conn, reply: string): Promise<void> {
  using _ = connection;
  const bytes = new Uint8Array(65_536);
  try {
    for (let count; (count = await connection.read(bytes)) !== null;) {
      const commands = new TextDecoder().decode(bytes.subarray(0, count)).match(/^\*/gm)?.length ?? 0;
      await connection.write(new TextEncoder().encode(reply.repeat(commands)));
    }
  } catch {
    // The client has gone.
  }
}
