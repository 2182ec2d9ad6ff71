import { assertEquals } from "@std/assert";
import { onBothStores } from "../sessions/served.ts";
import { shops, visit } from "./shop.ts";

for (const [framework, open] of Object.entries(shops)) {
  onBothStores(
    `${framework}: a change of any URL that shares a key takes along what is kept for all`,
    async (connect) => {
      await using redis = await connect();
      let version = 1;
      await using shop = open(redis, {
        ttl: "1h",
        key: (request) => request.url.includes("/alone") ? "alone" : { replace: "menu" },
      }, () => new Response(`menu ${version}`));
      const read = async (path: string) => {
        const { body, cache } = await visit(`${shop.url}${path}`);
        return `${body} ${cache}`;
      };
      assertEquals([await read("/lunch"), await read("/dinner")], ["menu 1 MISS", "menu 1 HIT"]);
      for (const [method, path] of [["POST", "/dinner"], ["PUT", "/lunch"], ["DELETE", "/brunch?day=7"]] as const) {
        version++;
        assertEquals((await visit(`${shop.url}${path}`, { method })).status, 200);
        assertEquals([await read("/dinner"), await read("/lunch")], [`menu ${version} MISS`, `menu ${version} HIT`]);
      }
      assertEquals(await read("/alone"), `menu ${version} MISS`);
      await visit(`${shop.url}/alone`, { method: "POST" });
      assertEquals(await read("/lunch"), `menu ${version} HIT`, "which does not share the key");
    },
  );

  onBothStores(`${framework}: methods that change nothing take nothing along`, async (connect) => {
    await using redis = await connect();
    let calls = 0;
    await using shop = open(redis, { ttl: "1h" }, () => new Response(`page ${++calls}`));
    assertEquals((await visit(`${shop.url}/a`)).body, "page 1");
    for (const method of ["QUERY", "PROPFIND", "REPORT", "SEARCH", "OPTIONS"]) {
      const { status, cache } = await visit(`${shop.url}/a`, { method, body: method === "OPTIONS" ? null : "of what" });
      assertEquals([method, status, cache], [method, 200, "BYPASS"]);
      assertEquals((await visit(`${shop.url}/a`)).body, "page 1", method);
    }
    await visit(`${shop.url}/a`, { method: "MKCOL" });
    assertEquals((await visit(`${shop.url}/a`)).cache, "MISS", "what is not known to be safe changes something");
  });

  onBothStores(`${framework}: a change reaches the cache although who made it hangs up`, async (connect) => {
    await using redis = await connect();
    let version = 1;
    const changed = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const done = Promise.withResolvers<void>();
    await using shop = open(redis, { ttl: "1h" }, async (request) => {
      if (request.method === "POST") {
        version++;
        changed.resolve();
        await goOn.promise;
        done.resolve();
      }
      return new Response(`page ${version}`);
    });
    assertEquals((await visit(`${shop.url}/a`)).body, "page 1");
    const hangUp = new AbortController();
    const post = visit(`${shop.url}/a`, { method: "POST", signal: hangUp.signal }).catch(() => "gone");
    await changed.promise;
    hangUp.abort();
    assertEquals(await post, "gone");
    await new Promise((resolve) => setTimeout(resolve, 50)); // until the server has seen it
    goOn.resolve();
    await done.promise;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assertEquals((await visit(`${shop.url}/a`)).body, "page 2");
  });
}
