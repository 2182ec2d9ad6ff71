import { assert, assertEquals } from "@std/assert";
import { Cache } from "../../src/cache/mod.ts";
import type { LarderEvent } from "../../src/observe/events.ts";
import { onBothStores } from "../sessions/served.ts";
import { FIXTURES } from "./support.ts";

type Fields = Record<string, unknown>;

/** What somebody who may write keys of the cache could put in the place of what is known of an image. */
const DAMAGED: Readonly<Record<string, (info: Fields) => unknown>> = {
  "a document for a picture": (info) => ({ info: { ...info, type: "text/html" } }),
  "a type that breaks a header": (info) => ({ info: { ...info, type: "image/png\r\nset-cookie: a=b" } }),
  "an ETag that breaks a header": (info) => ({ info: { ...info, etag: '"1"\r\nset-cookie: a=b' } }),
  "an ETag of another image": (info) => ({ info: { ...info, etag: '"0123456789abcdef0123456789abcdef"' } }),
  "a hash that is none": (info) => ({ info: { ...info, hash: "<script>" } }),
  "a size that is no number": (info) => ({ info: { ...info, size: "5" } }),
  "half a byte": (info) => ({ info: { ...info, size: 5.5 } }),
  "less than nothing": (info) => ({ info: { ...info, size: -5 } }),
  "a width without end": (info) => ({ info: { ...info, width: Infinity } }),
  "a time that is none": (info) => ({ info: { ...info, timestamp: NaN } }),
  "an orientation that there is not": (info) => ({ info: { ...info, orientation: 9 } }),
  "another image": (info) => ({ info: { ...info, filename: "other.png" } }),
  "a mismatch that there is not": (info) => ({ info: { ...info, mismatch: "text/html" } }),
  "no info": () => ({}),
  "nothing": () => null,
  "a list": (info) => [info],
  "a text": () => "info",
  "an error that there is not": () => ({ error: { reason: "<script>", detail: "x" } }),
  "an error that breaks a line": () => ({ error: { reason: "invalid", detail: "x\r\nset-cookie: a=b" } }),
  "a change that is none": (info) => ({ info, changed: true }),
};

onBothStores("What is stored of an image and is damaged is read as nothing, told, and replaced", async (connect) => {
  const events: LarderEvent[] = [];
  await using redis = await connect({ images: { root: FIXTURES }, on: (event) => void events.push(event) });
  const { cache } = redis;
  assert(cache instanceof Cache);
  const info = await cache.getImageInfo("png.png");
  let key = "";
  for await (const entry of cache.inspect("image:png.png@*")) key = entry.key;
  assert(key !== "");
  for (const [name, damage] of Object.entries(DAMAGED)) {
    for (const served of [false, true]) {
      events.length = 0;
      await cache.set(key, damage({ ...info }), { ttl: "1h", tags: ["image:png.png"] });
      if (served) {
        const response = await cache.serveImage(new Request("http://localhost/"), "png.png");
        await response.body?.cancel();
        assertEquals([response.status, response.headers.get("content-type")], [200, "image/png"], name);
        assertEquals([response.headers.get("etag"), response.headers.get("set-cookie")], [info.etag, null], name);
      } else {
        assertEquals(await cache.getImageInfo("png.png"), info, name);
      }
      assert(events.some(({ type }) => type === "cache.unreadable"), `${name} is told: ${JSON.stringify(events)}`);
    }
    events.length = 0;
    assertEquals(await cache.getImageInfo("png.png"), info, name);
    assertEquals(events.filter(({ type }) => type === "cache.unreadable"), [], `${name} is replaced`);
  }
});
