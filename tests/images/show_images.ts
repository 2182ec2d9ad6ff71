/**
 * Has a headless Chromium show images: `show_images.ts CHROMIUM URL`, and their names as a line of JSON. Prints the
 * width and height of each, `null` for what is not shown.
 *
 * @module
 */
// deno-lint-ignore-file no-console no-import-prefix
import { chromium } from "npm:playwright-core@1.65.1";

const [executablePath, url] = Deno.args as [string, string];
const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
let line = "";
while (!line.includes("\n")) line += (await input.read()).value ?? "\n";
const names: string[] = JSON.parse(line);

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
  const page = await browser.newPage();
  await page.goto(url);
  // Runs in the page.
  const script = `async (names) => {
    const sizes = {};
    for (const name of names) {
      sizes[name] = await new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
        image.onerror = () => resolve(null);
        image.src = "/" + encodeURIComponent(name);
      });
    }
    return sizes;
  }`;
  console.log(JSON.stringify(await page.evaluate(`(${script})(${JSON.stringify(names)})`)));
} finally {
  await browser.close();
}
Deno.exit(0);
