import { assertEquals, assertRejects } from "@std/assert";
import { displaySize, ImageError } from "../../src/images/mod.ts";
import { oddImages } from "./odd_images.ts";
import { refusedImages } from "./refused_images.ts";
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

Deno.test("Images.get() knows no size of what browsers do not show, and it is sent all the same", async (t) => {
  await using bed = new Bed();
  for (const [name, bytes] of Object.entries(await refusedImages())) {
    await t.step(name, async () => {
      bed.source.put(name, bytes);
      assertEquals((await assertRejects(() => bed.images.get(name), ImageError)).reason, "invalid");
      const response = await bed.images.serve(new Request("http://localhost/"), name);
      assertEquals([response.status, new Uint8Array(await response.arrayBuffer())], [200, bytes]);
    });
  }
});

Deno.test("Images.get() of an SVG by the size of the window, or of a font that is not known, knows no size", async (t) => {
  await using bed = new Bed();
  for (const unit of ["vw", "svh", "dvmin", "lvmax", "vi", "vb", "cqw", "cqmax", "lh", "rlh", "cap"]) {
    await t.step(unit, async () => {
      const text = `<svg xmlns="http://www.w3.org/2000/svg" width="9${unit}" height="9" viewBox="0 0 9 9"/>`;
      bed.source.put("a.svg", new TextEncoder().encode(text));
      assertEquals((await assertRejects(() => bed.images.get("a.svg"), ImageError)).reason, "invalid");
      const response = await bed.images.serve(new Request("http://localhost/"), "a.svg");
      assertEquals([response.status, await response.text()], [200, text]);
      await bed.images.invalidate("");
    });
  }
});

Deno.test("Images.get() of an SVG does not count pixels, of all else it does", async () => {
  await using bed = new Bed({ maxPixels: 100 });
  bed.source.put("a.svg", new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'));
  assertEquals((await bed.images.get("a.svg")).width, 40);
});
