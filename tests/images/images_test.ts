import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ImageError, type ImageInfo, Images, NotFoundError } from "../../src/images/mod.ts";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import type { LarderEvent } from "../../src/observe/events.ts";
import { Bed, fixture, Folder, MemorySource } from "./support.ts";

const PNG = await fixture("png.png");
const GIF = await fixture("gif.gif");
const bytesOf = (text: string) => new TextEncoder().encode(text);

Deno.test("Images.get() looks at an image at most every revalidateAfter, and reads it once", async () => {
  await using bed = new Bed();
  const { source, clock, images } = bed;
  source.put("a.png", PNG);
  const first = await images.get("a.png");
  assertEquals(source.counts(), [1, 1]);
  clock.advance("999ms");
  for (let i = 0; i < 100; i++) assertEquals(await images.get("a.png"), first);
  assertEquals(source.counts(), [0, 0]);
  clock.advance("1ms");
  assertEquals(await images.get("a.png"), first);
  assertEquals(source.counts(), [1, 0]);
  clock.advance("6d");
  assertEquals(await images.get("a.png"), first);
  assertEquals(source.counts(), [1, 0]);
  // Another process need not read it.
  assertEquals(await bed.another().get("a.png"), first);
  assertEquals(source.counts(), [1, 0]);
});

Deno.test("Images.get() reads again only what changed", async () => {
  await using bed = new Bed();
  const { source, clock, images } = bed;
  source.put("a.png", PNG, { modified: 1000 });
  assertEquals((await images.get("a.png")).timestamp, 1000);
  clock.advance("1s");
  source.counts();
  source.put("a.png", GIF, { modified: 2000 });
  const changed = await images.get("a.png");
  assertEquals([changed.type, changed.timestamp, changed.mismatch], ["image/gif", 2000, "image/png"]);
  assertEquals(source.counts(), [1, 1]);
  clock.advance("1s");
  source.put("a.png", PNG, { modified: 1000 }); // what was known of this is still there
  assertEquals((await images.get("a.png")).type, "image/png");
  assertEquals(source.counts(), [1, 0]);
});

Deno.test("Images.get() with revalidateAfter: 0 looks at each call", async () => {
  await using bed = new Bed({ revalidateAfter: 0 });
  const { source, images } = bed;
  source.put("a.png", PNG);
  for (let i = 0; i < 5; i++) await images.get("a.png");
  assertEquals(source.counts(), [5, 1]);
  source.put("a.png", GIF);
  assertEquals((await images.get("a.png")).type, "image/gif");
});

Deno.test('Images.get() with verify: "hash" reads again after revalidateAfter', async () => {
  await using bed = new Bed({ verify: "hash", revalidateAfter: "5s" });
  const { source, clock, images } = bed;
  source.put("a.png", PNG, { version: "1" });
  await images.get("a.png");
  source.put("a.png", GIF, { version: "1", size: PNG.length }); // as if nothing had happened
  clock.advance("4s");
  assertEquals((await images.get("a.png")).type, "image/png");
  clock.advance("1s");
  assertEquals((await images.get("a.png")).type, "image/gif");
  assertEquals(source.counts()[1], 2);
});

Deno.test("Images.get() reads again what has nothing to go by, or changed a moment ago", async () => {
  for (const stat of [{}, { version: "1", recent: true }]) {
    await using bed = new Bed();
    const { source, clock, images } = bed;
    source.images.set("a.png", { bytes: PNG, stat });
    await images.get("a.png");
    source.images.set("a.png", { bytes: GIF, stat });
    clock.advance("500ms");
    assertEquals((await images.get("a.png")).type, "image/png");
    clock.advance("500ms");
    assertEquals((await images.get("a.png")).type, "image/gif");
  }
});

Deno.test("Images.get() does not hold an error against an image that changed a moment ago", async () => {
  await using bed = new Bed();
  const { source, clock, images } = bed;
  const stat = { version: "1", size: PNG.length, recent: true };
  // room was made for it, it is not written yet
  source.images.set("a.png", { bytes: new Uint8Array(PNG.length), stat });
  await assertRejects(() => images.get("a.png"), ImageError);
  await assertRejects(() => images.get("a.png"), ImageError);
  assertEquals(source.counts(), [1, 1]);
  source.images.set("a.png", { bytes: PNG, stat });
  clock.advance("1s");
  assertEquals((await images.get("a.png")).width, 47);
});

Deno.test("Images.get() with revalidateAfter: 0 remembers nothing of an image that changed a moment ago", async () => {
  await using bed = new Bed({ revalidateAfter: 0 });
  const { source, images } = bed;
  const stat = { version: "1", recent: true };
  for (const [bytes, type] of [[PNG, "image/png"], [GIF, "image/gif"], [PNG, "image/png"]] as const) {
    source.images.set("a.png", { bytes, stat });
    assertEquals((await images.get("a.png")).type, type); // on a clock that stands still
  }
});

Deno.test("Images.get() of 1,000 callers on a cold image is one look and one read", async () => {
  await using bed = new Bed();
  const gate = Promise.withResolvers<void>();
  bed.source.put("a.png", PNG);
  bed.source.gate = gate.promise;
  const callers = Array.from({ length: 1000 }, () => bed.images.get("a.png"));
  const others = Array.from({ length: 100 }, () => bed.another().get("a.png"));
  gate.resolve();
  const infos = await Promise.all([...callers, ...others]);
  assertEquals(infos.map(({ hash }) => hash), Array(1100).fill(infos[0]!.hash));
  const [stats, opened] = bed.source.counts();
  assertEquals([stats, opened], [101, 1]); // each of the other "processes" looks for itself
});

Deno.test("Images.get() of what is not there asks once in a while, and sees when it comes", async () => {
  await using bed = new Bed({ revalidateAfter: "1h" });
  const { source, clock, images } = bed;
  for (let i = 0; i < 10; i++) {
    const error = await assertRejects(() => images.get("a.png"), NotFoundError, 'Cannot find image "a.png"');
    assertEquals([error.kind, error.what], ["image", "a.png"]);
  }
  assert(source.counts()[0] >= 1);
  source.put("a.png", PNG);
  clock.advance("1s");
  assertEquals((await images.get("a.png")).width, 47);
  source.images.delete("a.png");
  clock.advance("1h");
  await assertRejects(() => images.get("a.png"), NotFoundError);
});

Deno.test("Images.get() of what is not there is remembered in the process", async () => {
  await using bed = new Bed();
  for (let i = 0; i < 10; i++) await assertRejects(() => bed.images.get("a.png"), NotFoundError);
  assertEquals(bed.source.counts(), [1, 0]);
  bed.clock.advance("1s");
  await assertRejects(() => bed.images.get("a.png"), NotFoundError);
  assertEquals(bed.source.counts(), [1, 0]);
});

Deno.test("Images.invalidate() of a name, of a folder, of all", async () => {
  await using bed = new Bed({ revalidateAfter: "1h" });
  const { source, images } = bed;
  const names = ["a.png", "x/b.png", "x/y/c.png", "x/y/d.png", "xy/e.png"];
  for (const name of names) source.put(name, PNG, { version: "always the same" });
  const reread = async () => {
    await images.getMany(names);
    return source.opened.splice(0).sort();
  };
  assertEquals(await reread(), names.toSorted());
  assertEquals(await reread(), []);
  assertEquals((await images.invalidate("a.png")).status, "done");
  assertEquals(await reread(), ["a.png"]);
  await images.invalidate("x/y");
  assertEquals(await reread(), ["x/y/c.png", "x/y/d.png"]);
  await images.invalidate("x/");
  assertEquals(await reread(), ["x/b.png", "x/y/c.png", "x/y/d.png"]);
  await bed.cache.invalidateByTag("image:x/y/d.png");
  assertEquals(await reread(), ["x/y/d.png"]);
  await bed.cache.invalidateByTag("image:xy");
  assertEquals(await reread(), ["xy/e.png"]);
  for (const all of ["", "/"]) {
    await images.invalidate(all);
    assertEquals(await reread(), names.toSorted());
  }
  await bed.cache.invalidateByTag("image");
  assertEquals(await reread(), names.toSorted());
  await bed.cache.clear();
  assertEquals(await reread(), names.toSorted());
});

Deno.test("Images.invalidate() has a changed image looked at, in all processes, however long revalidateAfter is", async () => {
  await using bed = new Bed({ revalidateAfter: "1h" });
  const { source, images } = bed;
  const other = bed.another({ revalidateAfter: "1h" });
  source.put("a.png", PNG);
  assertEquals([(await images.get("a.png")).type, (await other.get("a.png")).type], ["image/png", "image/png"]);
  source.put("a.png", GIF);
  assertEquals([(await images.get("a.png")).type, (await other.get("a.png")).type], ["image/png", "image/png"]);
  await images.invalidate("a.png");
  assertEquals([(await images.get("a.png")).type, (await other.get("a.png")).type], ["image/gif", "image/gif"]);
  await assertRejects(() => images.get("b.png"), NotFoundError);
  source.put("b.png", PNG);
  await images.invalidate("b.png");
  assertEquals((await images.get("b.png")).width, 47);
});

Deno.test("Images.get() never gives what it read of an image that changed meanwhile", async () => {
  await using bed = new Bed();
  const { source, images } = bed;
  source.put("a.png", PNG, { version: "1" });
  const gate = Promise.withResolvers<void>();
  source.gate = gate.promise;
  const early = images.get("a.png"); // has looked, and opens
  while (source.opened.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  source.put("a.png", GIF, { version: "2" });
  gate.resolve();
  await early; // of either, but as it was opened
  bed.clock.advance("1s");
  assertEquals((await images.get("a.png")).type, "image/gif");
});

Deno.test("Images.getMany() gives what there is, and tells of the rest", async () => {
  await using bed = new Bed();
  const { source, images } = bed;
  source.put("a.png", PNG);
  source.put("b.gif", GIF);
  source.put("c.txt", bytesOf("text"));
  const told: string[] = [];
  const onError = (name: string, error: Error) => told.push(`${name}: ${error.name}`);
  const infos = await images.getMany(["b.gif", "a.png", "c.txt", "d.png", "a.png"], { onError });
  assertEquals([...infos].map(([name, { type }]) => [name, type]), [["b.gif", "image/gif"], ["a.png", "image/png"]]);
  assertEquals(told.sort(), ["c.txt: ImageError", "d.png: NotFoundError"]);
  assertEquals((await images.getMany([])).size, 0);
  assertEquals((await images.getMany(new Set(["a.png"]))).size, 1);
  await assertRejects(() => images.getMany("a.png" as unknown as string[]), TypeError, "wanted several names");
  source.failing = new Error("gone");
  bed.clock.advance("2s");
  await assertRejects(() => images.getMany(["a.png"]), Error, "gone");
});

Deno.test("Images reads no more than 16 at a time", async () => {
  await using bed = new Bed();
  const { source, images } = bed;
  let [running, most] = [0, 0];
  const open = source.open.bind(source);
  source.open = async (name, options) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return await open(name, options);
  };
  const names = Array.from({ length: 200 }, (_, i) => `${i}.png`);
  for (const name of names) source.put(name, PNG);
  assertEquals((await images.getMany(names)).size, 200);
  assertEquals(most, 16);
});

Deno.test("Images.warm() lets others have their turn, though its source never waits", async () => {
  await using bed = new Bed();
  const names = Array.from({ length: 3000 }, (_, i) => `${i}.png`);
  for (const name of names) bed.source.put(name, PNG);
  let known = 0;
  const turned = new Promise<number>((resolve) => setTimeout(() => resolve(known), 0));
  await bed.images.warm(names, { onProgress: () => void known++ });
  assert(await turned < names.length, "a timer of 0 ms waited for all images");
});

Deno.test("Images.warm() reads a folder, so many at a time, and tells how far it is", async () => {
  await using folder = await Folder.make({ "a.png": PNG, "x/b.gif": GIF, "x/y/c.png": PNG, "notes.txt": "no image" });
  await folder.write("x/broken.jpg", "no image either");
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: folder.path });
  const told: string[] = [];
  const progress = (p: { stored: number; failed: number; filename: string }) =>
    void told.push(`${p.stored + p.failed} ${p.filename}`);
  assertEquals(await images.warm("", { concurrency: 1, onProgress: progress }), { stored: 3, failed: 1 });
  assertEquals(told.map((text) => text.split(" ")[0]), ["1", "2", "3", "4"]);
  assertEquals(told.map((text) => text.split(" ")[1]).sort(), ["a.png", "x/b.gif", "x/broken.jpg", "x/y/c.png"]);
  assertEquals(await images.warm("x/y/"), { stored: 1, failed: 0 });
  assertEquals(await images.warm(["a.png", "missing.png"]), { stored: 1, failed: 1 });
  assertEquals(await images.warm("nowhere"), { stored: 0, failed: 0 });
  await assertRejects(() => images.warm("../x"), RangeError);
  await assertRejects(() => images.warm("", { concurrency: 0 }), RangeError);
  await assertRejects(() => images.warm(1 as unknown as string), TypeError);
  await assertRejects(() => images.warm("", { signal: AbortSignal.abort(new Error("enough")) }), Error, "enough");
  const without = new Images(cache, { source: new MemorySource() });
  await assertRejects(() => without.warm(), TypeError, "a source with list()");
});

Deno.test("Images.warm() reads so many at a time", async () => {
  for (const [concurrency, wanted] of [[undefined, 8], [3, 3], [1000, 16]] as const) {
    await using bed = new Bed();
    let [running, most] = [0, 0];
    const open = bed.source.open.bind(bed.source);
    bed.source.open = async (name, options) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
      return await open(name, options);
    };
    const names = Array.from({ length: 60 }, (_, i) => `${i}.png`);
    for (const name of names) bed.source.put(name, PNG);
    assertEquals(await bed.images.warm(names, { concurrency }), { stored: 60, failed: 0 });
    assertEquals(most, wanted);
  }
});

Deno.test("Images.warm() of a folder goes on after what cannot be the name of an image", async () => {
  await using folder = await Folder.make({ "a.png": PNG, "aux.png": PNG, "50%2fx.png": PNG, "z.png": PNG });
  await folder.write(`${"n".repeat(200)}/${"m".repeat(240)}.png`, PNG);
  await folder.write("back\\slash.png", PNG);
  await folder.write("new\nline.png", PNG);
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: folder.path });
  const told: string[] = [];
  const result = await images.warm("", { onProgress: ({ filename }) => void told.push(filename) });
  assertEquals(result, { stored: 2, failed: 5 });
  assertEquals(told.length, 7);
  // What the caller names is another thing.
  await assertRejects(() => images.warm(["a.png", "aux.png"]), RangeError);
});

Deno.test("Images serves what was last known while the source fails, if so told", async () => {
  await using bed = new Bed({ staleIfError: "1m" });
  const { source, clock, images } = bed;
  source.put("a.png", PNG);
  const known = await images.get("a.png");
  source.failing = new Error("gone");
  clock.advance("10s");
  assertEquals(await images.get("a.png"), known);
  await assertRejects(() => images.get("b.png"), Error, "gone");
  clock.advance("1m");
  await assertRejects(() => images.get("a.png"), Error, "gone");
  source.failing = undefined;
  assertEquals(await images.get("a.png"), known);

  await using strict = new Bed();
  strict.source.put("a.png", PNG);
  await strict.images.get("a.png");
  strict.clock.advance("2s");
  strict.source.failing = new Error("gone");
  await assertRejects(() => strict.images.get("a.png"), Error, "gone");
});

Deno.test("Images ends the wait of a caller with the reason of its signal", async () => {
  await using bed = new Bed();
  const gate = Promise.withResolvers<void>();
  bed.source.put("a.png", PNG);
  bed.source.gate = gate.promise;
  const controller = new AbortController();
  const waiting = bed.images.get("a.png", { signal: controller.signal });
  const other = bed.images.get("a.png");
  controller.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  gate.resolve();
  assertEquals((await other).width, 47);
  await assertRejects(() => bed.images.get("a.png", { signal: AbortSignal.abort(new Error("no")) }), Error, "no");
});

Deno.test("Images tells of errors and of names that do not fit", async () => {
  const events: LarderEvent[] = [];
  await using cache = new Cache(new MemoryStore());
  const source = new MemorySource();
  const images = new Images(cache, { source }, { on: (event) => events.push(event) });
  source.put("a.jpg", PNG);
  source.put("b.jpg", bytesOf("x"));
  source.put("c", PNG);
  source.put("d.html", PNG);
  source.put("photo.2024", PNG);
  assertEquals((await images.get("a.jpg")).mismatch, "image/jpeg");
  assertEquals((await images.get("c")).mismatch, undefined);
  assertEquals((await images.get("d.html")).mismatch, "text/html");
  assertEquals((await images.get("photo.2024")).mismatch, undefined);
  await assertRejects(() => images.get("b.jpg"), ImageError);
  const told = events.map((event) => "filename" in event ? `${event.type} ${event.filename}` : event.type);
  assertEquals(told, ["image.mismatch a.jpg", "image.mismatch d.html", "image.error b.jpg"]);
});

Deno.test("Images.get() of what can be seen but not opened is not there", async () => {
  await using bed = new Bed();
  bed.source.put("a.png", PNG);
  bed.source.open = () => Promise.resolve(undefined);
  await assertRejects(() => bed.images.get("a.png"), NotFoundError);
});

Deno.test("Images gives objects that nobody can change for others", async () => {
  await using bed = new Bed();
  bed.source.put("a.png", PNG);
  const info = await bed.images.get("a.png") as { -readonly [K in keyof ImageInfo]: ImageInfo[K] };
  assertThrows(() => info.width = 1, TypeError);
  assertEquals((await bed.images.get("a.png")).width, 47);
});

Deno.test("Images refuses options that are none", async () => {
  await using cache = new Cache(new MemoryStore());
  const refused = (options: unknown, kind: new () => Error) =>
    assertThrows(() => new Images(cache, options as { root: string }), kind);
  for (const options of [{}, { root: "x", source: new MemorySource() }, { root: "" }, { root: 1 }, { source: {} }]) {
    refused(options, TypeError);
  }
  for (const root of ["a\0b", new URL("https://example.com/")]) refused({ root }, TypeError);
  refused({ root: "x", hash: "md5" }, TypeError);
  refused({ root: "x", verify: "size" }, TypeError);
  refused({ root: "x", maxBytes: "1" }, TypeError);
  refused({ root: "x", maxBytes: 0 }, RangeError);
  refused({ root: "x", maxPixels: 1.5 }, RangeError);
  refused({ root: "x", revalidateAfter: -1 }, RangeError);
  refused({ root: "x", errorTtl: 0 }, RangeError);
});
