import { assert, assertEquals } from "@std/assert";
import { onBothStores } from "../sessions/served.ts";
import { until } from "../support/until.ts";
import { shops, visit } from "./shop.ts";

/** The first bytes of a body that may never end. */
async function firstBytes(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, { signal });
  const reader = response.body!.getReader();
  const { value } = await reader.read();
  await reader.cancel().catch(() => {});
  return new TextDecoder().decode(value);
}

for (const [framework, open] of Object.entries(shops)) {
  onBothStores(`${framework}: nobody waits for the end of a body that has none`, async (connect) => {
    await using redis = await connect();
    await using elsewhere = await connect();
    let calls = 0;
    const ends: (() => void)[] = [];
    const answer = () => {
      const call = ++calls;
      return new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(`body ${call}`));
            ends.push(() => {
              try {
                controller.close();
              } catch {
                // Who read it has gone.
              }
            });
          },
        }),
        { headers: { "cache-control": "max-age=60" } },
      );
    };
    // Who waited for the end would wait for ten minutes.
    await using shop = open(redis, { timeout: "10m" }, answer);
    await using other = open(elsewhere, { timeout: "10m" }, answer);
    const away = new AbortController();
    const first = await fetch(`${shop.url}/live`, { signal: away.signal });
    const reader = first.body!.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "body 1", "the first byte comes at once");
    const visitors = [
      ...Array.from({ length: 3 }, () => firstBytes(`${shop.url}/live`, away.signal)),
      firstBytes(`${other.url}/live`, away.signal),
    ];
    const seen = await Promise.all(visitors);
    assert(seen.every((body) => /^body [2-9]$/.test(body)), `each has his own: ${seen}`);
    assertEquals(await firstBytes(`${shop.url}/live`, away.signal), `body ${calls}`, "nor does who comes later");
    ends.forEach((end) => end());
    assertEquals((await reader.read()).done, true);
    await reader.cancel();
    away.abort();
  });

  onBothStores(`${framework}: a slow body is kept when it has ended, and served from then on`, async (connect) => {
    await using redis = await connect();
    let calls = 0;
    const gate = Promise.withResolvers<void>();
    await using shop = open(redis, { timeout: "10m" }, () => {
      const call = ++calls;
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode(`body ${call}`));
          if (call === 1) await gate.promise;
          controller.enqueue(new TextEncoder().encode(" end"));
          controller.close();
        },
      });
      return new Response(body, { headers: { "cache-control": "max-age=60" } });
    });
    const first = visit(`${shop.url}/slow`);
    await until(() => calls === 1, "the handler runs");
    assertEquals((await visit(`${shop.url}/slow`)).body, "body 2 end", "who does not wait any longer");
    gate.resolve();
    assertEquals((await first).body, "body 1 end");
    await until(async () => (await visit(`${shop.url}/slow`)).cache === "HIT", "it is kept");
    assertEquals((await visit(`${shop.url}/slow`)).body, "body 1 end");
  });

  onBothStores(`${framework}: what turns out to be too long lets all who wait ask for themselves`, async (connect) => {
    await using redis = await connect();
    let calls = 0;
    const gate = Promise.withResolvers<void>();
    await using shop = open(redis, { timeout: "10m", maxBytes: 1000 }, () => {
      calls++;
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(new Uint8Array(600));
          await gate.promise;
          controller.enqueue(new Uint8Array(600));
          controller.close();
        },
      });
      return new Response(body, { headers: { "cache-control": "max-age=60" } });
    });
    const all = Array.from({ length: 4 }, () => visit(`${shop.url}/long`));
    await until(() => calls >= 1, "the handler runs");
    gate.resolve();
    for (const { body, status } of await Promise.all(all)) assertEquals([status, body.length], [200, 1200]);
  });
}
