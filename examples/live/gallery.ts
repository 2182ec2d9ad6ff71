import { displaySize, type ImageCache, imageNameOf } from "@larder/larder";
import { PICTURE_NAMES } from "../catalogue/pictures.ts";
import type { Routes } from "../service/router.ts";

const PREFIX = "/images/";

/**
 * Pictures and what is known of them: `GET /live/images` tells, `POST /live/images/forget` forgets, `/images/*` are the
 * pictures.
 *
 * @param cache A cache that knows where they are.
 * @param reads How many pictures have been read from disk so far.
 */
export function galleryRoutes(cache: ImageCache, reads: () => number): Routes {
  const picture = (request: Request) =>
    cache.serveImage(request, imageNameOf(request, PREFIX), { cacheControl: "no-cache" });
  return {
    "GET /live/images": async () => {
      const [began, before] = [performance.now(), reads()];
      const infos = await cache.getImageInfoMany(PICTURE_NAMES);
      const milliseconds = performance.now() - began;
      const images = [...infos.values()].map((info) => ({
        ...info,
        shown: displaySize(info),
        // Another address whenever a byte changes.
        url: `${PREFIX}${info.filename}?${info.hash.slice(0, 12)}`,
      }));
      return Response.json({ images, milliseconds, read: reads() - before });
    },
    "POST /live/images/forget": async () => Response.json(await cache.invalidateImage("")),
    [`GET ${PREFIX}*`]: (_, request) => picture(request),
    [`HEAD ${PREFIX}*`]: (_, request) => picture(request),
  };
}
