import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runDeno, startDeno, taskArguments } from "./child.ts";

/** Reads until a text matches, and leaves the rest. */
async function readUntil(pattern: RegExp, stream: ReadableStream<Uint8Array>): Promise<RegExpExecArray> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream.values({ preventCancel: true })) {
    text += decoder.decode(chunk, { stream: true });
    const match = pattern.exec(text);
    if (match) return match;
  }
  throw new Error(`Cannot find ${pattern}: got\n${text}`);
}

Deno.test("task dev serves the catalogue until SIGTERM", async (t) => {
  const child = startDeno(await taskArguments("dev"), { env: { PORT: "0" } });
  let ended: Deno.CommandStatus | undefined;
  try {
    const [base] = await readUntil(/http:\/\/127\.0\.0\.1:\d+/, child.stdout);
    const send = async (method: string, path: string, body?: unknown) => {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const response = await fetch(base + path, init);
      return { status: response.status, body: await response.json() };
    };

    await t.step("GET /products/:id is cached", async () => {
      assertEquals((await send("GET", "/products/101")).body.name, "Parmigiano Reggiano, 24 months");
      assertEquals((await send("GET", "/products/101")).body.price, 11.9);
      const { body } = await send("GET", "/stats");
      assertEquals([body.store, body.originCalls, body.cache.hits], ["memory", 1, 1]);
    });

    await t.step("POST /products/:id changes the price everywhere", async () => {
      assertEquals((await send("GET", "/categories/cheese")).body.length, 8);
      assertEquals((await send("POST", "/products/101", { price: 9.5 })).body.price, 9.5);
      assertEquals((await send("GET", "/products/101")).body.price, 9.5);
      assertEquals((await send("GET", "/categories/cheese")).body[0].price, 9.5);
    });

    await t.step("GET /products/:id/stock", async () => {
      assertEquals(await send("GET", "/products/101/stock"), { status: 200, body: 42 });
    });

    await t.step("what is not there is 404, what is wrong is 400", async () => {
      for (const path of ["/products/999", "/categories/fish", "/products/x", "/categories/a%00b", "/"]) {
        assertEquals((await send("GET", path)).status, 404, path);
      }
      assertEquals((await send("POST", "/products/101", { price: "free" })).status, 400);
      assertEquals((await send("POST", "/products/999", { price: 1 })).status, 404);
    });

    child.kill("SIGTERM");
    ended = await child.status;
    assertEquals(ended.code, 0);
  } finally {
    if (!ended) {
      child.kill("SIGKILL");
      await child.status;
    }
    await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
  }
});

Deno.test("task dev says which PORT it cannot use", async () => {
  const wrong = await runDeno(await taskArguments("dev"), { env: { PORT: "http" } });
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.errors, 'Cannot use PORT: wanted a port from 0 to 65535, got "http"');

  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const inUse = await runDeno(await taskArguments("dev"), { env: { PORT: String(port) } });
  assertEquals(inUse.code, 1);
  assert(inUse.errors.includes(`Cannot listen on 127.0.0.1:${port}: it is in use`), inUse.errors);
});
