import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { connect } from "../../mod.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import { encodeResponse, type StoredResponse } from "../../src/http/stored_response.ts";
import { onBothStores } from "../sessions/served.ts";

Deno.test("cacheResponse() has room for variants again when others have ended", async () => {
  await using redis = await connect({ url: "memory:" });
  const cached = cacheResponse(redis, { ttl: "1m" });
  const ask = async (language: string) => {
    const request = new Request("http://localhost/", { headers: { "accept-language": language } });
    const response = await cached(request, () => new Response(language, { headers: { vary: "accept-language" } }));
    return [await response.text(), response.headers.get("x-cache")];
  };
  using time = new FakeTime();
  for (let i = 0; i < 20; i++) await ask(`x-${i}`);
  assertEquals(await ask("x-14"), ["x-14", "HIT"]);
  assertEquals((await ask("x-19"))[1], "BYPASS");
  time.now += 120_000;
  assertEquals([await ask("de"), await ask("de")], [["de", "MISS"], ["de", "HIT"]]);
});

Deno.test("cacheResponse() answers what names no headers in its Vary, and does not keep it", async () => {
  await using redis = await connect({ url: "memory:" });
  const cached = cacheResponse(redis);
  let made = 0;
  for (const vary of ["Accept Encoding", "accept-language, (x)", "ä"]) {
    for (const expected of [1, 2]) {
      const page = () => new Response(`page ${++made % 2 === 1 ? 1 : 2}`, { headers: { vary } });
      const response = await cached(new Request(`http://localhost/${encodeURIComponent(vary)}`), page);
      assertEquals(await response.text(), `page ${expected}`, vary);
    }
  }
});

Deno.test("cacheResponse() takes along what is kept where a change names parameters that are ignored", async () => {
  await using redis = await connect({ url: "memory:" });
  const cached = cacheResponse(redis, { ignoreQuery: ["utm_*"] });
  let made = 0;
  const ask = async (url: string, method = "GET", headers: Record<string, string> = {}) => {
    const page = () => new Response(method === "GET" ? `page ${++made}` : "changed", { headers });
    return await (await cached(new Request(`http://localhost${url}`, { method }), page)).text();
  };
  assertEquals([await ask("/item?utm_source=mail"), await ask("/item")], ["page 1", "page 1"]);
  await ask("/item?utm_source=web", "POST");
  assertEquals(await ask("/item"), "page 2");
  await ask("/items", "POST", { location: "/item?utm_source=web" });
  assertEquals(await ask("/item"), "page 3");
});

onBothStores("cacheResponse() puts a response in the place of whatever else is under its key", async (connect) => {
  await using redis = await connect({ namespace: "foreign" });
  const cached = cacheResponse(redis);
  const stored: StoredResponse = {
    ...{ status: 200, headers: [], storedAt: Date.now(), age: 0, ttl: 60, stale: 0, open: false, strict: false },
    ...{ vary: [["no name", null]], body: new Uint8Array(1) },
  };
  const others = [null, "", [], {}, 5, "text", new Uint8Array(0), new Uint8Array(3), encodeResponse(stored)];
  for (const [i, other] of others.entries()) {
    await redis.cache.set(`http:localhost/${i} v2`, other);
    const seen: unknown[] = [];
    for (const headers of [{ range: "bytes=0-1" }, {}, {}] as Record<string, string>[]) {
      const response = await cached(new Request(`http://localhost/${i}`, { headers }), () => new Response("page"));
      seen.push(await response.text(), response.headers.get("x-cache"));
    }
    assertEquals(seen, ["page", "BYPASS", "page", "MISS", "page", "HIT"], Deno.inspect(other));
  }
});
