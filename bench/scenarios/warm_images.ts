import { createHash } from "node:crypto";
import { imageSize } from "npm:image-size@2.1.0";
import { connect } from "../../mod.ts";
import { median, type Row } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

const FIXTURES = decodeURIComponent(new URL("../../tests/images/fixtures/", import.meta.url).pathname);
const FILES = 1000;
/** One in so many is as large as a photo. */
const LARGE_EVERY = 20;
const LARGE = 4 * 2 ** 20;
/** How often the event loop is asked whether it turns, in milliseconds. */
const TICK = 1;

/**
 * A thousand files of all formats are read ahead of time: how many a second, and how long does the event loop stand
 * still?
 */
export const WARM_IMAGES: Scenario = {
  name: "warm-images",
  async run({ rounds }: Bench) {
    const folder = await Deno.makeTempDir({ prefix: "larder-bench-" });
    try {
      const names = await fill(folder);
      const ours: Measured[] = [];
      const theirs: Measured[] = [];
      for (let round = 0; round < Math.min(rounds, 5); round++) {
        ours.push(await measured(() => warm(folder)));
        theirs.push(await measured(() => readEach(folder, names)));
      }
      return [
        row(`warmImages of ${FILES} files`, "/s", (all) => FILES / all.seconds, ours, theirs),
        row(`warmImages of ${FILES} files: longest pause of the event loop`, "ms", (all) => all.pause, ours, theirs),
      ];
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

interface Measured {
  readonly seconds: number;
  readonly pause: number;
}

function row(
  work: string,
  unit: "/s" | "ms",
  of: (one: Measured) => number,
  ours: readonly Measured[],
  theirs: readonly Measured[],
): Row {
  const [own, other] = [ours.map(of), theirs.map(of)];
  const better = (round: number) => unit === "ms" ? other[round]! / own[round]! : own[round]! / other[round]!;
  return {
    work,
    ours: { value: median(own), unit },
    peer: { name: "image-size and SHA-256 of the whole file, 8 at a time", figure: { value: median(other), unit } },
    ratio: median(own.map((_, round) => better(round))),
  };
}

/** Writes the files; every so many has megabytes behind its end. */
async function fill(folder: string): Promise<string[]> {
  const fixtures = [...Deno.readDirSync(FIXTURES)].map(({ name }) => name)
    .filter((name) => /^(?!.*_sequence).*\.(png|jpg|gif|webp|bmp|svg|avif)$/.test(name)).sort();
  const names: string[] = [];
  for (let i = 0; i < FILES; i++) {
    const fixture = fixtures[i % fixtures.length]!;
    const bytes = await Deno.readFile(FIXTURES + fixture);
    const file = new Uint8Array(i % LARGE_EVERY === 0 ? LARGE : bytes.length);
    file.set(bytes);
    const name = `${i}_${fixture}`;
    await Deno.writeFile(`${folder}/${name}`, file);
    names.push(name);
  }
  return names;
}

/** Runs work, and looks at how late the turns of the event loop come meanwhile. */
async function measured(work: () => Promise<void>): Promise<Measured> {
  let last = performance.now();
  let pause = 0;
  const look = () => {
    const now = performance.now();
    pause = Math.max(pause, now - last - TICK);
    last = now;
  };
  const timer = setInterval(look, TICK);
  const started = performance.now();
  await work();
  look();
  clearInterval(timer);
  return { seconds: (performance.now() - started) / 1000, pause };
}

async function warm(root: string): Promise<void> {
  await using redis = await connect({ url: "memory:", images: { root } });
  const { stored } = await redis.cache.warmImages();
  if (stored !== FILES) throw new Error(`Cannot warm: wanted ${FILES} images, got ${stored}`);
}

async function readEach(folder: string, names: readonly string[]): Promise<void> {
  const left = names.values();
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (const name of left) {
      const bytes = await Deno.readFile(`${folder}/${name}`);
      createHash("sha256").update(bytes).digest("hex");
      imageSize(bytes);
    }
  }));
}
