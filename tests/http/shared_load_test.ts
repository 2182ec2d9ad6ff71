import { assert, assertEquals } from "@std/assert";
import { onBothStores } from "../sessions/served.ts";
import { until } from "../support/until.ts";
import { shops, visit } from "./shop.ts";

for (const [framework, open] of Object.entries(shops)) {
  onBothStores(`${framework}: the load of a shared response has no visitor`, async (connect) => {
    await using redis = await connect();
    const seen: Headers[] = [];
    await using shop = open(redis, {
      ttl: "1m",
      vary: ["x-forwarded-proto"],
      personal: ["x-api-key"],
      ignoreCookies: ["_ga*"],
    }, (request) => {
      seen.push(new Headers(request.headers));
      return new Response(`page ${seen.length}`, { headers: { etag: `"${seen.length}"` } });
    });
    const headers = {
      "if-none-match": '"1"',
      "if-modified-since": "Wed, 21 Oct 2015 07:28:00 GMT",
      "x-forwarded-for": "203.0.113.7",
      "x-forwarded-proto": "https",
      "forwarded": "for=203.0.113.7",
      "cookie": "_ga=GA1.2; _gat=1",
      "accept-language": "de",
      "x-tenant": "7",
    };
    const first = await visit(`${shop.url}/shop/1`, { headers });
    assertEquals([first.status, first.cache], [304, "MISS"], "who has it is told so, by the cache");
    const load = seen[0]!;
    for (
      const name of ["if-none-match", "if-modified-since", "x-forwarded-for", "forwarded", "cookie", "authorization"]
    ) {
      assertEquals(load.get(name), null, name);
    }
    assertEquals([load.get("x-forwarded-proto"), load.get("accept-language"), load.get("x-tenant")], [
      "https",
      "de",
      "7",
    ]);
    const second = await visit(`${shop.url}/shop/1`, { headers: { "x-forwarded-proto": "https" } });
    assertEquals([second.status, second.body, second.cache], [200, "page 1", "HIT"]);
  });

  onBothStores(`${framework}: the first visitor hangs up, and the others are served`, async (connect) => {
    await using redis = await connect();
    let calls = 0;
    const gate = Promise.withResolvers<void>();
    await using shop = open(redis, { ttl: "1m" }, async (request) => {
      calls++;
      await gate.promise;
      return new Response(request.signal.aborted ? "gone" : "page");
    });
    const hangUp = new AbortController();
    const first = visit(`${shop.url}/a`, { signal: hangUp.signal }).catch(() => "hung up");
    await until(() => calls === 1, "the handler runs");
    const others = Array.from({ length: 10 }, () => visit(`${shop.url}/a`));
    hangUp.abort();
    assertEquals(await first, "hung up");
    gate.resolve();
    for (const { status, body } of await Promise.all(others)) assertEquals([status, body], [200, "page"]);
    assertEquals(calls, 1);
  });

  onBothStores(
    `${framework}: a stale response is made anew behind the scenes, and the next read is new`,
    async (connect) => {
      await using redis = await connect();
      // Each call of the handler waits for its turn, so that no other comes between, however busy the machine is.
      const turns = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
      let calls = 0;
      await using shop = open(redis, { ttl: "50ms", staleWhileRevalidate: "1h" }, async (request) => {
        const call = ++calls;
        await turns[call - 1]!.promise;
        await new Promise((resolve) => setTimeout(resolve, 20)); // a handler that awaits something
        return new Response(`page ${call} of ${new URL(request.url).pathname}`, {
          // The last one stays, so that none is under way at the end.
          headers: { "x-call": String(call), ...(call === 4 && { "cache-control": "max-age=600" }) },
        });
      });
      const url = `${shop.url}/shop/1`;
      turns[0]!.resolve();
      assertEquals((await visit(url)).body, "page 1 of /shop/1");
      for (let round = 2; round <= 4; round++) {
        await until(async () => {
          const { body, cache } = await visit(url);
          assertEquals(body, `page ${round - 1} of /shop/1`, "until it is made anew");
          return cache === "STALE" && calls === round;
        }, "it is stale, and the handler runs again");
        const stale = await visit(url);
        assertEquals([stale.body, stale.cache], [`page ${round - 1} of /shop/1`, "STALE"]);
        turns[round - 1]!.resolve();
        await until(async () => {
          const now = await visit(url);
          assert(now.headers.get("x-call") === now.body.split(" ")[1], "headers and body are of one response");
          assert([`page ${round - 1} of /shop/1`, `page ${round} of /shop/1`].includes(now.body), now.body);
          return now.body === `page ${round} of /shop/1`;
        }, "the new response is served");
        assertEquals((await visit(url)).body, `page ${round} of /shop/1`, "and none that is older ever after");
      }
      assertEquals(calls, 4);
    },
  );

  onBothStores(`${framework}: who says who he is gets his own, and leaves nothing for others`, async (connect) => {
    await using redis = await connect();
    let calls = 0;
    await using shop = open(redis, { ttl: "1m", personal: ["x-api-key"], ignoreCookies: ["_ga*"] }, (request) => {
      calls++;
      const who = request.headers.get("cookie") ?? request.headers.get("authorization") ??
        request.headers.get("x-api-key");
      const open = new URL(request.url).pathname === "/open";
      return new Response(`hello ${who ?? "stranger"}`, {
        headers: open ? { "cache-control": "public, max-age=60" } : {},
      });
    });
    for (
      const headers of [{ cookie: "id=ada" }, { authorization: "Bearer ada" }, { "x-api-key": "ada" }] as Record<
        string,
        string
      >[]
    ) {
      const who = Object.values(headers)[0];
      const own = await visit(`${shop.url}/page`, { headers });
      assertEquals([own.body, own.cache], [`hello ${who}`, "BYPASS"]);
    }
    assertEquals((await visit(`${shop.url}/page`)).body, "hello stranger");
    assertEquals(
      (await visit(`${shop.url}/page`, { headers: { cookie: "_ga=1" } })).cache,
      "HIT",
      "a cookie that means nobody",
    );
    for (const headers of [{ cookie: "id=ada" }, { "x-api-key": "ada" }] as Record<string, string>[]) {
      assertEquals((await visit(`${shop.url}/page`, { headers })).body, `hello ${Object.values(headers)[0]}`);
    }
    assertEquals((await visit(`${shop.url}/page`)).body, "hello stranger");
    // What says that it is for all is made for nobody, then given to all.
    assertEquals((await visit(`${shop.url}/open`, { headers: { cookie: "id=ada" } })).body, "hello id=ada");
    await until(async () => {
      const { body, cache } = await visit(`${shop.url}/open`, { headers: { cookie: "id=bob" } });
      return body === "hello stranger" && cache === "HIT";
    }, "it is kept without its visitor");
  });

  onBothStores(`${framework}: a handler that fails or answers what is not kept takes nothing away`, async (connect) => {
    await using redis = await connect();
    let answer = () => new Response("fine");
    let calls = 0;
    await using shop = open(redis, { ttl: "50ms", staleIfError: "1h" }, async () => {
      calls++;
      await Promise.resolve();
      return answer();
    });
    const url = `${shop.url}/a`;
    assertEquals((await visit(url)).body, "fine");
    await new Promise((resolve) => setTimeout(resolve, 100));
    answer = () => new Response("no", { status: 503 });
    assertEquals((await visit(url)).body, "fine");
    answer = () => {
      throw new Error("broken");
    };
    assertEquals((await visit(url, { headers: { "cache-control": "no-cache" } })).body, "fine");
    answer = () => new Response("own", { headers: { "cache-control": "private" } });
    await new Promise((resolve) => setTimeout(resolve, 1100)); // after a failure it is not tried for a second
    assertEquals((await visit(url)).body, "own");
    assert(calls > 3);
    if (framework !== "Deno.serve") return; // for five seconds the key is known as not kept: no matter of the framework
    answer = () => new Response("no", { status: 503 });
    await until(async () => (await visit(url)).body === "fine", "the old one is there still");
  });

  onBothStores(
    `${framework}: a handler that does not answer in time costs its caller, and nobody else`,
    async (connect) => {
      await using redis = await connect();
      const gate = Promise.withResolvers<void>();
      let calls = 0;
      await using shop = open(redis, { ttl: "1m", timeout: "300ms" }, async () => {
        if (++calls === 1) await gate.promise;
        return new Response(`page ${calls}`);
      });
      const first = visit(`${shop.url}/a`);
      await until(() => calls === 1, "the handler runs");
      const second = visit(`${shop.url}/a`);
      assertEquals([(await first).status, (await second).status], [504, 200]);
      gate.resolve();
    },
  );
}
