import type { ImageCache, ImageInfo, ImageOptions, Larder, WarmImagesResult } from "../../mod.ts";
import { connect } from "../../mod.ts";
import { assertEquals } from "@std/assert";

/** Compiles only if the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

Deno.test("Types of image metadata", async () => {
  await using redis: Larder = await connect({ url: "memory:" });
  const cache: ImageCache = redis.cache;
  type Info = Awaited<ReturnType<typeof cache.getImageInfo>>;
  type Many = Awaited<ReturnType<typeof cache.getImageInfoMany>>;
  type Warmed = Awaited<ReturnType<typeof cache.warmImages>>;
  const same: [Same<Info, ImageInfo>, Same<Many, Map<string, ImageInfo>>, Same<Warmed, WarmImagesResult>] = [
    true,
    true,
    true,
  ];
  const fits: ImageOptions[] = [{ root: "a" }, { root: new URL("file:///a"), revalidateAfter: "5s", verify: "hash" }];
  // @ts-expect-error: it is called "sha-256"
  const wrong: ImageOptions = { root: "a", hash: "sha256" };
  // @ts-expect-error: what is known of an image is for all who ask
  ((_: ImageInfo) => _.width = 1);
  assertEquals([same.length, fits.length, wrong.hash], [3, 2, "sha256" as string]);
});
