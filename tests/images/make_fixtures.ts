/**
 * Makes the images of `fixtures/` and `fixtures/expected.json`, with what independent tools say of them:
 *
 * apt-get install imagemagick webp libavif-bin libimage-exiftool-perl librsvg2-bin libjxl-tools libheif-examples
 * libtiff-tools apngasm
 *     deno run --allow-all tests/images/make_fixtures.ts
 *
 * @module
 */
// deno-lint-ignore-file no-console
import sharp from "npm:sharp@0.35.5";

const FOLDER = decodeURIComponent(new URL("./fixtures/", import.meta.url).pathname);
const IDENTIFY_TYPES: Record<string, string> = {
  ICO: "vnd.microsoft.icon",
  SVG: "svg+xml",
  BMP2: "bmp",
  BMP3: "bmp",
  TIFF64: "tiff",
};

/** What the tools say of a file. */
interface Expected {
  size: number;
  sha256: string;
  identify?: { type: string; width: number; height: number; orientation: number } | undefined;
  told?: { by: string; width: number; height: number; orientation?: number } | undefined;
  sharp?: { format: string; width: number; height: number; orientation?: number };
}

async function run(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd: FOLDER }).output();
  if (code !== 0) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

const convert = (...args: string[]) => run("/usr/bin/convert", ...args);

/** A picture without symmetry, so that turns show. */
const PICTURE = ["-size", "47x31", "gradient:red-blue", "-fill", "yellow", "-draw", "rectangle 2,3 12,8", "-strip"];

async function make(): Promise<void> {
  await convert(...PICTURE, "png.png");
  await convert(...PICTURE, "-interlace", "PNG", "-colors", "16", "png_interlaced.png");
  await convert(...PICTURE, "jpeg.jpg");
  await convert(...PICTURE, "-interlace", "JPEG", "-sampling-factor", "4:2:0", "jpeg_progressive.jpg");
  await convert(...PICTURE, "-colorspace", "CMYK", "jpeg_cmyk.jpg");
  for (let orientation = 1; orientation <= 8; orientation++) {
    const name = `jpeg_orientation_${orientation}`;
    await Deno.copyFile(`${FOLDER}jpeg.jpg`, `${FOLDER}${name}.jpg`);
    await run("exiftool", "-q", "-n", "-overwrite_original", `-Orientation=${orientation}`, `${name}.jpg`);
    await run(
      "avifenc",
      "-s",
      "9",
      "--min",
      "30",
      "--max",
      "40",
      `${name}.jpg`,
      name.replace("jpeg", "avif") + ".avif",
    );
  }
  await Deno.copyFile(`${FOLDER}png.png`, `${FOLDER}png_orientation_6.png`);
  await run("exiftool", "-q", "-n", "-overwrite_original", "-Orientation=6", "png_orientation_6.png");
  await convert(...PICTURE, "gif.gif");
  await convert("-delay", "10", "-size", "20x12", "xc:red", "xc:blue", "xc:green", "gif_animated.gif");
  await run("cwebp", "-quiet", "png.png", "-o", "webp_lossy.webp");
  await run("cwebp", "-quiet", "-lossless", "png.png", "-o", "webp_lossless.webp");
  await run("img2webp", "-lossy", "-d", "50", "png.png", "png_interlaced.png", "-o", "webp_animated.webp");
  await run("avifenc", "-s", "9", "png.png", "avif.avif");
  await convert(...PICTURE, "BMP3:bmp_3.bmp");
  await convert(...PICTURE, "BMP2:bmp_2.bmp");
  await convert(...PICTURE, "bmp_4.bmp");
  await convert(...PICTURE, "-compress", "none", "tiff.tif");
  await convert(...PICTURE, "-compress", "lzw", "-endian", "MSB", "tiff_big_endian.tiff");
  await Deno.copyFile(`${FOLDER}tiff.tif`, `${FOLDER}tiff_orientation_8.tif`);
  await run("exiftool", "-q", "-n", "-overwrite_original", "-Orientation=8", "tiff_orientation_8.tif");
  await convert("-size", "32x32", "xc:red", "ico.ico");
  await convert("-size", "64x64", "xc:red", "-define", "icon:auto-resize=64,16,48", "ico_several.ico");
  await Deno.writeTextFile(
    `${FOLDER}svg_view_box.svg`,
    `<?xml version="1.0"?>\n<!-- > --><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 80"><path d="M0 0h9v9z"/></svg>\n`,
  );
  await run("rsvg-convert", "-f", "svg", "-w", "90", "-h", "60", "svg_view_box.svg", "-o", "svg_cairo.svg");
  await run("cjxl", "--quiet", "-e", "3", "png.png", "jxl.jxl");
  await run("cjxl", "--quiet", "--container=1", "-e", "3", "png.png", "jxl_boxes.jxl");
  await run("cjxl", "--quiet", "-e", "3", "gif_animated.gif", "jxl_animated.jxl");
  for (const orientation of [3, 6]) { // lossless, with the EXIF of the JPEG
    await run("cjxl", "--quiet", `jpeg_orientation_${orientation}.jpg`, `jxl_orientation_${orientation}.jxl`);
  }
  await run("heif-enc", "-q", "40", "png.png", "-o", "heic.heic");
  await run("avifenc", "-s", "10", "png.png", "png_interlaced.png", "avif_sequence.avif");
  for (const [at, name] of ["png.png", "png_interlaced.png"].entries()) { // it counts up the number in a name
    await Deno.copyFile(`${FOLDER}${name}`, `${FOLDER}frame0${at}.png`);
  }
  await run("apngasm", "png_animated.png", "frame00.png", "1", "10");
  for (const at of [0, 1]) await Deno.remove(`${FOLDER}frame0${at}.png`);
  await run("cwebp", "-quiet", "png.png", "-o", "webp_orientation_6.webp");
  await run("exiftool", "-q", "-n", "-overwrite_original", "-Orientation=6", "webp_orientation_6.webp");
  await run("tiffcp", "-8", "tiff.tif", "tiff_big.tif");
  const pixels = sharp(`${FOLDER}png.png`);
  await pixels.clone().png({ palette: true }).toFile(`${FOLDER}sharp.png`);
  await pixels.clone().jpeg({ mozjpeg: true }).withMetadata({ orientation: 5 }).toFile(`${FOLDER}sharp.jpg`);
  await pixels.clone().webp().withMetadata({ orientation: 7 }).toFile(`${FOLDER}sharp.webp`);
  await pixels.clone().avif({ effort: 0 }).toFile(`${FOLDER}sharp.avif`);
  await pixels.clone().tiff({ compression: "deflate" }).withMetadata({ orientation: 3 }).toFile(`${FOLDER}sharp.tiff`);
  await pixels.clone().gif().toFile(`${FOLDER}sharp.gif`);
}

async function identified(name: string): Promise<Expected["identify"]> {
  const text = await run("/usr/bin/identify", "-format", "%m %w %h %[orientation]\n", name);
  // Of several images in one file, the largest.
  const images = text.trim().split("\n").map((line) => line.split(" "));
  const [format, width, height, orientation] = images.toSorted((a, b) => Number(b[1]) - Number(a[1]))[0]!;
  const names = ["Undefined", "TopLeft", "TopRight", "BottomRight", "BottomLeft", "LeftTop", "RightTop", "RightBottom"];
  return {
    type: `image/${IDENTIFY_TYPES[format!] ?? format!.toLowerCase()}`,
    width: Number(width),
    height: Number(height),
    orientation: orientation === "LeftBottom" ? 8 : names.indexOf(orientation!),
  };
}

async function expected(name: string): Promise<Expected> {
  const result: Expected = {
    size: Number(await run("stat", "-c", "%s", name)),
    sha256: (await run("sha256sum", name)).split(" ")[0]!,
  };
  // Its own SVG renderer and its AVIF go through other libraries, which sharp stands for.
  if (!/\.(svg|avif|jxl|heic)$|png_animated/.test(name)) result.identify = await identified(name);
  if (/\.heic$|_sequence/.test(name)) {
    const [told] = JSON.parse(await run("exiftool", "-json", "-n", "-ImageWidth", "-ImageHeight", name));
    result.told = { by: "exiftool", width: told.ImageWidth, height: told.ImageHeight };
  }
  if (name.endsWith(".jxl")) {
    const text = await run("jxlinfo", "-v", name);
    const [, width, height] = /, (\d+)x(\d+),/.exec(text) ?? [];
    const orientation = Number(/Orientation: (\d)/.exec(text)?.[1]);
    result.told = { by: "jxlinfo", width: Number(width), height: Number(height), orientation };
  }
  if (!/\.(bmp|ico|jxl|heic)$|_big\.tif|_sequence/.test(name)) {
    const { format, width, height, orientation } = await sharp(`${FOLDER}${name}`).metadata();
    result.sharp = { format: format!, width: width!, height: height!, ...(orientation && { orientation }) };
  }
  return result;
}

if (Deno.args[0] !== "--expected") await make();
const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => !name.endsWith(".json")).sort();
const table: Record<string, Expected> = {};
for (const name of names) table[name] = await expected(name);
await Deno.writeTextFile(`${FOLDER}expected.json`, JSON.stringify(table, null, 2) + "\n");
console.log(`${names.length} images`);
