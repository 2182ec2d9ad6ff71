import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import { fileSource, ImageError, Images, type ImageSource, NotFoundError } from "../../src/images/mod.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { until } from "../support/until.ts";
import { fixture, Folder } from "./support.ts";

const PNG = await fixture("png.png");
const bytesOf = (text: string) => new TextEncoder().encode(text);

Deno.test("Images.get() of a file that is written while it is read is of what is there in the end", async () => {
  await using folder = await Folder.make({ "a.png": PNG });
  await folder.age("a.png");
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: folder.path, revalidateAfter: 0 });
  for (let i = 0; i < 30; i++) {
    const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${i + 1}" height="5">${"<g/>".repeat(50_000)}</svg>`;
    const writing = folder.write("a.png", text);
    const seen = await images.get("a.png").catch((error) => error);
    assert(seen instanceof ImageError || seen.width > 0); // half a file is what is there at that time
    await writing;
    assertEquals((await images.get("a.png")).width, i + 1);
  }
});

Deno.test("fileSource() notices a file replaced with the same size and time", async (t) => {
  // A byte more in the width, so that the size stays.
  const of = (width: number) => bytesOf(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="5"/>`);
  for (const verify of ["stat", "hash"] as const) {
    await t.step(`by rename, verify: "${verify}"`, async () => {
      await using folder = await Folder.make({ "a.svg": of(10) });
      await folder.age("a.svg");
      await using cache = new Cache(new MemoryStore());
      const images = new Images(cache, { root: folder.path, revalidateAfter: 0, verify });
      assertEquals((await images.get("a.svg")).width, 10);
      await folder.write("b.svg", of(20));
      await folder.age("b.svg");
      await Deno.rename(`${folder.path}/b.svg`, `${folder.path}/a.svg`);
      assertEquals((await images.get("a.svg")).width, 20);
    });

    await t.step(`in place, at once, verify: "${verify}"`, async () => {
      await using folder = await Folder.make({ "a.svg": of(10) });
      await folder.age("a.svg");
      await using cache = new Cache(new MemoryStore());
      const images = new Images(cache, { root: folder.path, revalidateAfter: "10ms", verify });
      assertEquals((await images.get("a.svg")).width, 10);
      await folder.write("a.svg", of(30));
      await folder.age("a.svg");
      // Within the same second, as far as the file system tells: what changed lately is not believed.
      await new Promise((resolve) => setTimeout(resolve, 30));
      assertEquals((await images.get("a.svg")).width, 30);
    });
  }
});

Deno.test("fileSource() notices a file replaced in place with the same size and time, long after it came", async () => {
  const of = (width: number) => bytesOf(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="5"/>`);
  await using folder = await Folder.make({ "a.svg": of(10) });
  await folder.age("a.svg");
  await using cache = new Cache(new MemoryStore());
  const source = fileSource(folder.path);
  let reads = 0;
  const counting: ImageSource = {
    stat: (name) => source.stat(name),
    open: (name, options) => (reads++, source.open(name, options)),
  };
  const images = new Images(cache, { source: counting, revalidateAfter: 0 });
  await until(async () => (await source.stat("a.svg"))?.recent === false, "it has been there for a while");
  for (let i = 0; i < 3; i++) assertEquals((await images.get("a.svg")).width, 10);
  assertEquals(reads, 1, "nobody doubts what it is");
  const before = await Deno.stat(`${folder.path}/a.svg`);
  await folder.write("a.svg", of(30));
  await folder.age("a.svg");
  const after = await Deno.stat(`${folder.path}/a.svg`);
  assertEquals([after.size, after.mtime, after.ino], [before.size, before.mtime, before.ino]);
  assertEquals((await images.get("a.svg")).width, 30, "noticed by the time of its change");
});

Deno.test("fileSource() reads a file that shrinks, grows or vanishes as what it is in the end, or not at all", async () => {
  const big = (width: number, length: number) =>
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="5">${"<g/>".repeat(length)}</svg>`;
  await using folder = await Folder.make({ "a.svg": big(1, 100_000) });
  await using cache = new Cache(new MemoryStore());
  const source = fileSource(folder.path);
  let change: (() => Promise<void>) | undefined;
  const disturbed: ImageSource = {
    stat: (name) => source.stat(name),
    async open(name, options) {
      const opened = await source.open(name, options);
      if (!opened) return undefined;
      const [act, body] = [change, opened.body];
      change = undefined;
      return {
        ...opened,
        body: body.pipeThrough(
          new TransformStream({
            async transform(chunk, controller) {
              controller.enqueue(chunk);
              await act?.();
            },
          }),
        ),
        unchanged: () => opened.unchanged!(),
      };
    },
  };
  const images = new Images(cache, { source: disturbed, revalidateAfter: 0 });
  change = () => folder.write("a.svg", big(2, 10));
  assertEquals((await images.get("a.svg")).width, 2);
  change = () => folder.write("a.svg", big(3, 200_000));
  await images.invalidate("a.svg");
  const { width, size } = await images.get("a.svg");
  assertEquals([width, size], [3, big(3, 200_000).length]);
  change = () => Deno.remove(`${folder.path}/a.svg`).catch(() => {});
  await images.invalidate("a.svg");
  await assertRejects(() => images.get("a.svg"), NotFoundError);
});

Deno.test("fileSource() gives a large file piece by piece", async () => {
  await using folder = await Folder.make({ "a.png": PNG });
  await Deno.truncate(`${folder.path}/a.png`, 90 * 2 ** 20);
  let size = 0;
  for await (const chunk of (await fileSource(folder.path).open("a.png"))!.body) {
    assert(chunk.length <= 2 ** 16);
    size += chunk.length;
  }
  assertEquals(size, 90 * 2 ** 20);
  // In a process of its own: other tests of this one take memory meanwhile.
  await using process = DenoProcess.start(import.meta.resolve("./memory_worker.ts"), folder.path, "a.png");
  const seen = await process.receive<{ width: number; size: number; grown: number }>();
  assertEquals([seen.width, seen.size], [47, size]);
  assert(seen.grown < 70 * 2 ** 20, `${seen.grown} bytes more`);
});
