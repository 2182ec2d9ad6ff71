import { assertEquals } from "@std/assert";
import { Feed } from "../../examples/live/feed.ts";
import { Journal } from "../../examples/live/journal.ts";
import { allProducts } from "../../examples/catalogue/product.ts";
import { Shelf } from "../../examples/live/shelf.ts";

function textOf(response: Response): Promise<string> {
  return response.text().then((text) => text, (error) => `error: ${error.message}`);
}

Deno.test("Feed.send() reaches all who watch, and close() ends them", async () => {
  const feed = new Feed();
  const watched: boolean[] = [];
  feed.onWatched = (now) => watched.push(now);
  const [one, two] = [feed.open([["hello", 1]]), feed.open([])];
  feed.send("sample", { fresh: 2 });
  feed.close();
  const sample = 'event: sample\ndata: {"fresh":2}\n\n';
  assertEquals(await textOf(one), `retry: 1000\n\nevent: hello\ndata: 1\n\n${sample}`);
  assertEquals(await textOf(two), `retry: 1000\n\n${sample}`);
  assertEquals(watched, [true, false]);
  const late = feed.open([]);
  assertEquals([late.status, late.headers.get("retry-after")], [503, "5"]);
});

Deno.test("Feed.send() gives up who does not read, and goes on with the others", async () => {
  const feed = new Feed();
  const [stuck, reading] = [feed.open([]), feed.open([])];
  const reader = reading.body!.getReader();
  let received = 0;
  for (let i = 0; i < 10; i++) {
    feed.send("sample", "x".repeat(100_000));
    received += (await reader.read()).value!.length;
  }
  assertEquals(await textOf(stuck), "error: It does not read what it is sent");
  feed.send("sample", "still here");
  feed.close();
  for (let next = await reader.read(); !next.done; next = await reader.read()) received += next.value.length;
  assertEquals(received > 1_000_000, true);
});

Deno.test("Feed lets go of who has left", async () => {
  const feed = new Feed();
  const watched: boolean[] = [];
  feed.onWatched = (now) => watched.push(now);
  await feed.open([]).body!.cancel();
  assertEquals(watched, [true, false]);
});

Deno.test("Shelf knows which products an invalidation takes away", () => {
  const shelf = new Shelf(allProducts());
  for (const key of ["product:101", "product:201", "product:999", "stock:101"]) {
    shelf.see({ type: "cache.load", key, milliseconds: 50, stored: true, background: false });
  }
  assertEquals(shelf.take(), [[101, "loaded"], [201, "loaded"]]);
  shelf.see({ type: "cache.hit", key: "product:101", stale: false });
  shelf.see({ type: "cache.invalidate", by: "key", what: ["product:201"], status: "done" });
  assertEquals(shelf.take(), [[101, "hit"], [201, "gone"]]);
  shelf.see({ type: "cache.invalidate", by: "tag", what: ["category:cheese"], status: "done" });
  assertEquals(shelf.take().map(([id, fate]) => `${id} ${fate}`), [1, 2, 3, 4, 5, 6, 7, 8].map((i) => `10${i} gone`));
  assertEquals([shelf.loadsOf(101), shelf.loadsOf(102), shelf.loadsOf(999)], [1, 0, 0]);
});

Deno.test("Journal.take() tells what is new, and counts what repeats itself", () => {
  const journal = new Journal();
  assertEquals(journal.take(), undefined);
  journal.see({ type: "cache.hit", key: "product:101", stale: false });
  assertEquals(journal.take(), undefined);
  for (let i = 0; i < 3; i++) journal.see({ type: "cache.error", operation: "read", error: new Error("gone") });
  journal.see({ type: "redis.connected", client: "larder" });
  assertEquals(journal.take()?.map(({ text, mood, times }) => [text, mood, times]), [
    ["Redis: connected", "good", 1],
    ["The cache went on without Redis: read", "bad", 3],
  ]);
  for (let i = 0; i < 100; i++) journal.see({ type: "cache.replayed", count: i });
  assertEquals(journal.all().length, 30);
});
