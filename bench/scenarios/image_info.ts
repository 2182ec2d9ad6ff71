import { imageSizeFromFile } from "npm:image-size@2.1.0/fromFile";
import sharp from "npm:sharp@0.35.5";
import { equal } from "node:assert/strict";
import { connect } from "../../mod.ts";
import { compare, type Contender, inRounds } from "../rounds.ts";
import type { Row } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

const FOLDER = decodeURIComponent(new URL("../../tests/images/fixtures/", import.meta.url).pathname);
/** Of formats that all of them know. They are small, which is good for who reads them. */
const NAMES = [
  "png.png",
  "sharp.png",
  "jpeg.jpg",
  "sharp.jpg",
  "jpeg_progressive.jpg",
  "gif.gif",
  "sharp.webp",
  "sharp.tiff",
];

/**
 * Metadata of images that are known, which Larder looks at once a second, against those who read the header each time.
 */
export const IMAGE_INFO: Scenario = {
  name: "image-info",
  async run({ server, rounds }: Bench) {
    await using redis = await connect({
      url: server.url,
      namespace: "larder-bench",
      commandTimeout: "10s",
      images: { root: FOLDER },
    });
    await redis.ready({ timeout: "10s" });
    const name = (i: number) => NAMES[i % NAMES.length]!;
    const contenders: Contender[] = [
      { name: "getImageInfo", run: (i) => redis.cache.getImageInfo(name(i)) },
      { name: "image-size from disk", run: (i) => imageSizeFromFile(FOLDER + name(i)) },
      { name: "sharp metadata", run: (i) => sharp(FOLDER + name(i)).metadata() },
    ];
    for (const { run } of contenders) {
      for (let i = 0; i < NAMES.length; i++) equal((await run(i) as { width: number }).width, 47);
    }
    const rows: Row[] = [];
    for (const callers of [1, 64]) {
      const rates = await inRounds(contenders, { callers, rounds });
      const work = `image info, ${callers} ${callers === 1 ? "caller" : "callers"}`;
      rows.push(...compare(work, rates, ["getImageInfo"]));
    }
    return rows;
  },
};
