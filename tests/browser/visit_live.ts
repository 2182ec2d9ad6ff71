/**
 * Drives a headless Chromium through the live page: `visit_live.ts CHROMIUM URL`. Asks by `{ please }` for what it
 * cannot do itself, and ends with `{ seen }`, what it has seen, in lines of JSON.
 *
 * @module
 */
// deno-lint-ignore-file no-console no-import-prefix
import { type BrowserContextOptions, chromium, type Page } from "npm:playwright-core@1.65.1";

const [executablePath, url] = Deno.args as [string, string];
const seen: Record<string, unknown> = {};
const errors: string[] = [];

const lines = Deno.stdin.readable.getReader();

/** Asks the test for something, and waits until it is done. */
async function please(what: string): Promise<void> {
  console.log(JSON.stringify({ please: what }));
  await lines.read();
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });

async function visit(options: BrowserContextOptions): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  page.setDefaultTimeout(10_000);
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`${message.text()} ${new URL(message.location().url, url).pathname}`);
  });
  await page.goto(url);
  await hasStatus(page, "ok");
  return page;
}

const hasStatus = (page: Page, status: string, timeout = 10_000) =>
  page.locator(`#status[data-status="${status}"]`).waitFor({ timeout });
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();
const limit = (page: Page, name: string) => page.locator(`[data-limit="${name}"] .left`);
const text = (page: Page, selector: string) => page.locator(selector).innerText();

/** The text of an element, once it matches. */
async function once(page: Page, selector: string, pattern: RegExp): Promise<string> {
  const locator = page.locator(selector).filter({ hasText: pattern });
  await locator.waitFor();
  return await locator.innerText();
}

const secondsIn = (text: string) => {
  const [, minutes, seconds] = /(\d+):(\d\d)/.exec(text)!;
  return Number(minutes) * 60 + Number(seconds);
};

try {
  const desktop = await visit({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  const phone = await visit({
    viewport: { width: 390, height: 844 },
    colorScheme: "dark",
    userAgent: "<img src=/nowhere> phone",
  });
  seen.title = await desktop.title();

  // It fits, and follows the colours of the system.
  const colour = "getComputedStyle(document.body).backgroundColor";
  seen.fits = await phone.evaluate("document.documentElement.scrollWidth <= innerWidth");
  seen.dark = await phone.evaluate(colour) !== await desktop.evaluate(colour);

  // What the cache does over time.
  await desktop.locator("#reads-plot .fresh, #reads-plot .misses").nth(2).waitFor({ state: "attached" });
  await desktop.locator("#latency-plot polyline.p50").first().waitFor({ state: "attached" });
  seen.hitRatio = /^\d+ % of \d+ reads a second/.test(await once(desktop, "#reads-figure", /reads/));
  seen.roundTrips = await desktop.locator("#latency-plot .trip").count() > 0;

  // By keyboard alone: nobody else reads from here on, and a tag is invalidated.
  await desktop.getByRole("button", { name: "Pause the readers" }).focus();
  await desktop.keyboard.press("Enter");
  await desktop.locator('#readers[aria-pressed="true"]').waitFor();
  const outcome = desktop.locator(".aisle", { hasText: "cheese" }).locator(".outcome");
  const read = async () => {
    await press(desktop, "Read cheese");
    await desktop.locator('[aria-label="Read cheese"][aria-busy="false"]').waitFor(); // the answer is shown
    return (await outcome.innerText()).replace(/ in .*/, "");
  };
  await read();
  seen.hits = await read();
  await desktop.keyboard.press("Tab");
  seen.focus = await desktop.evaluate(
    "[document.activeElement.ariaLabel, document.activeElement.matches(':focus-visible')]",
  );
  await desktop.keyboard.press("Space");
  await outcome.filter({ hasText: "the next read is a miss" }).waitFor();
  const cells = desktop.locator(".aisle", { hasText: "cheese" }).locator('[data-held="true"]');
  await cells.first().waitFor({ state: "detached" });
  seen.invalidated = await cells.count();
  seen.misses = await read();
  seen.hitsAgain = await read();
  await press(desktop, "1,000 readers at once");
  seen.crowd = (await once(desktop, "#shelf-said", /1,000 readers of/)).replace(/“.*”|, in .*/g, "");

  // A limit is used up; the other window hears of it.
  for (let i = 0; i < 6; i++) {
    await press(desktop, "Call AUTH");
    await once(desktop, "#limits-said", i < 5 ? new RegExp(`AUTH: 200, ${4 - i} left`) : /AUTH: 429/);
  }
  await limit(phone, "AUTH").filter({ hasText: "429: again in" }).waitFor();
  const first = secondsIn(await limit(desktop, "AUTH").innerText());
  await desktop.waitForTimeout(1200);
  const second = secondsIn(await limit(desktop, "AUTH").innerText());
  seen.countdown = [first > 280 && first <= 300, first - second >= 1 && first - second <= 10];
  await press(desktop, "Start over: AUTH");
  await limit(desktop, "AUTH").filter({ hasText: "5 left" }).waitFor();

  // Two devices, and none.
  for (const page of [desktop, phone]) {
    await press(page, "Log in");
    await page.getByRole("button", { name: "Log out everywhere" }).waitFor();
  }
  await once(desktop, "#sessions-figure", /2 devices/);
  seen.devices = (await desktop.locator("#devices li").allInnerTexts()).map((text) => text.split("\n")[0]).sort();
  seen.markup = await desktop.locator("#devices img").count();
  await press(desktop, "Log out everywhere");
  seen.ended = await once(desktop, "#sessions-said", /everywhere/);
  await phone.getByRole("button", { name: "Log in" }).waitFor();
  seen.loggedOut = await text(phone, "#sessions-said");

  // Pictures, true to their files.
  await desktop.locator("#images li").nth(4).scrollIntoViewIfNeeded();
  await desktop.waitForFunction(
    "[...document.querySelectorAll('#images img')].filter((image) => image.naturalWidth > 0).length === 5",
  );
  seen.upright = (await text(desktop, "#images")).includes("480 × 640, stored 640 × 480, turned 90° to the right");

  // Redis dies with all that it knew and comes back, and the page says so by itself.
  await press(desktop, "Log in");
  await once(desktop, "#sessions-figure", /1 device/);
  const expected = errors.splice(0);
  seen.refusals = expected;
  const died = performance.now();
  await please("kill Redis");
  await hasStatus(desktop, "degraded", 2000);
  seen.degradedInTime = performance.now() - died < 2000;
  seen.banner = /^Redis does not answer/.test(await text(desktop, "#banner"));
  seen.closed = await limit(desktop, "AUTH").filter({ hasText: "refused by policy" }).innerText();
  seen.local = await limit(desktop, "API").filter({ hasText: "counted in this process" }).count();
  seen.unknown = await once(desktop, "#sessions-hint", /away/);
  await press(desktop, "Read cheese");
  await outcome.filter({ hasText: "8 misses" }).waitFor();
  await press(desktop, "Invalidate cheese");
  seen.queued = await once(desktop, ".aisle .outcome", /Queued/);
  await please("start Redis");
  await hasStatus(desktop, "ok");
  await limit(desktop, "AUTH").filter({ hasText: "5 left" }).waitFor();
  await once(desktop, "#sessions-hint", /no passwords/);
  await read();
  seen.recovered = await read();
  seen.shaded = await desktop.locator("#reads-plot .outage").count() > 0;

  // The service itself ends, with the page open.
  seen.errors = errors.splice(0);
  await please("stop the service");
  await hasStatus(desktop, "away", 3000);
  seen.away = await text(desktop, "#banner");
} finally {
  await browser.close();
}
console.log(JSON.stringify({ seen }));
Deno.exit(0);
