import { assertEquals } from "@std/assert";
import { displaySize } from "../../src/images/mod.ts";
import { oddImages } from "./odd_images.ts";
import { Bed } from "./support.ts";

Deno.test("Images.get() knows what browsers show of images that do not keep to the letter of their format", async (t) => {
  await using bed = new Bed();
  for (const [name, { bytes, size, orientation, truncated }] of Object.entries(await oddImages())) {
    await t.step(name, async () => {
      bed.source.put(name, bytes);
      const info = await bed.images.get(name);
      const { width, height } = displaySize(info);
      assertEquals([width, height, info.orientation, info.truncated, info.mismatch], [
        ...size,
        orientation,
        truncated,
        undefined,
      ]);
    });
  }
});

Deno.test("Images.get() of an SVG does not count pixels, of all else it does", async () => {
  await using bed = new Bed({ maxPixels: 100 });
  bed.source.put("a.svg", new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'));
  assertEquals((await bed.images.get("a.svg")).width, 40);
});
