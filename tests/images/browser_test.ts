import { assert, assertEquals } from "@std/assert";
import { displaySize, type ImageInfo } from "../../src/images/mod.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { testWith } from "../support/program.ts";
import expected from "./fixtures/expected.json" with { type: "json" };
import { oddImages } from "./odd_images.ts";
import { refusedImages } from "./refused_images.ts";
import { Bed, fixture } from "./support.ts";

/** What Chromium does not show; other browsers do. */
const NOT_SHOWN = /\.(tiff?|heic)$/;
/** An SVG with nothing but a `viewBox` has a ratio and no size: a browser makes it as large as there is room. */
const RATIO = "svg_view_box.svg";

Deno.test(
  await testWith("chromium", "displaySize() is what Chromium shows, served by Images.serve()", async (chromium) => {
    await using bed = new Bed();
    const odd = Object.entries(await oddImages()).map(([name, { bytes }]) => [name, bytes] as const);
    const plain = await Promise.all(Object.keys(expected).map(async (name) => [name, await fixture(name)] as const));
    const refused = await refusedImages();
    for (const [name, bytes] of [...plain, ...odd, ...Object.entries(refused)]) bed.source.put(name, bytes);
    const names = [...plain, ...odd].map(([name]) => name);
    const infos: Record<string, ImageInfo> = Object.fromEntries(await bed.images.getMany(names));
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      const { pathname } = new URL(request.url);
      if (pathname !== "/") return bed.images.serve(request, decodeURIComponent(pathname.slice(1)));
      return new Response("<!doctype html><title>Images</title>", { headers: { "content-type": "text/html" } });
    });
    const url = `http://127.0.0.1:${server.addr.port}/`;
    await using browser = DenoProcess.start(import.meta.resolve("./show_images.ts"), chromium, url);
    await browser.send([...names, ...Object.keys(refused)]);
    const shown = await browser.receive<Record<string, [width: number, height: number] | null>>();
    for (const name of names) {
      const info = infos[name];
      assert(info, name);
      if (NOT_SHOWN.test(name)) {
        assertEquals(shown[name], null, name);
        continue;
      }
      const { width, height } = displaySize(info);
      const [w, h] = shown[name] ?? [0, 0];
      if (name === RATIO) assertEquals(w / h, width / height, name);
      else if (!(info.truncated && shown[name] === null)) assertEquals([w, h], [width, height], name);
    }
    for (const name of Object.keys(refused)) assertEquals(shown[name], null, name);
    assert(names.length > 100);
  }),
);
