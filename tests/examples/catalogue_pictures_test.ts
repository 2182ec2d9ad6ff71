import { assertEquals, assertStringIncludes } from "@std/assert";
import { ImageCache, type ImageInfo, MemoryStore } from "../../mod.ts";
import { Origin } from "../../examples/catalogue/origin.ts";
import { PICTURES, pictures } from "../../examples/catalogue/pictures.ts";
import { Report } from "../../examples/catalogue/report.ts";
import { Stopwatch } from "../../examples/catalogue/stopwatch.ts";

/** Shows the pictures with a cache some of whose methods do something else, and tells which claims broke. */
async function broken(sabotage: Partial<Record<keyof ImageCache, unknown>> = {}): Promise<string[]> {
  let reads = 0;
  await using real = new ImageCache(new MemoryStore(), {}, { root: PICTURES }, (event) => {
    if (event.type === "cache.load") reads++;
  });
  const cache = new Proxy(real, {
    get(target, name) {
      const member = sabotage[name as keyof ImageCache] ?? Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  await using origin = new Origin([], 1);
  const report = new Report(() => {});
  await pictures({ cache, reads: () => reads, report, watch: new Stopwatch(cache, origin) });
  return report.broken;
}

Deno.test("pictures() holds", async () => {
  assertEquals(await broken(), []);
});

Deno.test("pictures() sees what does not hold", async () => {
  const forgetful = async function (this: ImageCache, name: string): Promise<ImageInfo> {
    if (!name.startsWith(".")) await this.invalidate(name), await this.invalidateByTag("image");
    return await ImageCache.prototype.getImageInfo.call(this, name);
  };
  assertStringIncludes((await broken({ getImageInfo: forgetful }))[0]!, "the photo is read 1000 times");
  assertEquals(
    await broken({ serveImage: () => Promise.resolve(new Response("x", { headers: { etag: '"x"' } })) }),
    ["A browser gets 1 bytes of text/plain;charset=UTF-8 once, then 200"],
  );
});
