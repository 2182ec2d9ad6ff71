import { Buffer } from "node:buffer";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readUntil, runDeno, startDeno, taskArguments } from "./child.ts";

Deno.test("task dev serves the catalogue until SIGTERM", async (t) => {
  const child = startDeno(await taskArguments("dev"), { env: { PORT: "0" } });
  let ended: Deno.CommandStatus | undefined;
  let watching: ReadableStream<Uint8Array> | undefined;
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
      for (const path of ["/products/999", "/categories/fish", "/products/x", "/categories/a%00b", "/live"]) {
        assertEquals((await send("GET", path)).status, 404, path);
      }
      assertEquals((await send("POST", "/products/101", { price: "free" })).status, 400);
      assertEquals((await send("POST", "/products/999", { price: 1 })).status, 404);
    });

    await t.step("GET / is one page that brings along all it needs", async () => {
      const response = await fetch(`${base}/`);
      const [html, policy] = [await response.text(), response.headers.get("content-security-policy")!];
      assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
      assertStringIncludes(html, "<h1>Larder, live</h1>");
      const inline = [...html.matchAll(/<(?:script type="module"|style)>(.*?)<\/(?:script|style)>/gs)];
      assert(inline.length > 2);
      for (const [, text] of inline) {
        const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
        assertStringIncludes(policy, `'sha256-${Buffer.from(digest).toString("base64")}'`);
      }
      assertEquals(html.match(/(src|href)="(?!data:|\/|#)[^"]*"/g), null, "something is loaded from elsewhere");
      assertStringIncludes(policy, "default-src 'none'");
      assert(!policy.includes("unsafe"), policy);
    });

    await t.step("a limit that is used up is 429 and says when to come again", async () => {
      const call = () => fetch(`${base}/live/limits/AUTH`, { method: "POST" });
      for (let i = 0; i < 5; i++) assertEquals((await (await call()).json()).remaining, 4 - i);
      const refused = await call();
      const seconds = Number(refused.headers.get("retry-after"));
      assertEquals([refused.status, (await refused.json()).status], [429, 429]);
      assert(seconds > 290 && seconds <= 300, `${seconds}`);
      assertEquals(await send("DELETE", "/live/limits/AUTH"), { status: 200, body: { name: "AUTH", done: true } });
      assertEquals((await (await call()).json()).remaining, 4);
    });

    await t.step("what another site sends is refused", async () => {
      const headers = { "sec-fetch-site": "cross-site" };
      const response = await fetch(`${base}/live/logout-everywhere`, { method: "POST", headers });
      assertEquals([response.status, (await response.json()).detail], [403, "Ask from the page itself"]);
    });

    await t.step("GET /live/feed tells what happens, to so many and no more", async () => {
      const feeds = await Promise.all(Array.from({ length: 33 }, () => fetch(`${base}/live/feed`)));
      assertEquals(feeds.map(({ status }) => status).sort(), [...Array(32).fill(200), 503]);
      const open = feeds.find(({ status }) => status === 200)!;
      watching = open.body!; // still there when the service ends
      const [, data] = await readUntil(/event: sample\ndata: (.*)\n/, watching);
      assertEquals([typeof JSON.parse(data!).fresh, JSON.parse(data!).status], ["number", "ok"]);
      await Promise.all(feeds.filter((one) => one !== open).map(({ body }) => body!.cancel()));
    });

    child.kill("SIGTERM");
    ended = await child.status;
    for await (const _ of watching!); // comes to its end
    assertEquals(ended.code, 0);
  } finally {
    if (!ended) {
      child.kill("SIGTERM"); // which it passes on to the service proper
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
