/**
 * Drives a headless Chromium through the login example: `browse.ts CHROMIUM URL URL`, where two processes serve the
 * same site. Prints what it has seen as one line of JSON.
 *
 * @module
 */
// deno-lint-ignore-file no-console no-import-prefix
import { type BrowserContext, chromium, type Page } from "npm:playwright-core@1.65.1";

const [executablePath, here, there] = Deno.args as [string, string, string];
const seen: Record<string, unknown> = {};

async function logIn(page: Page, url: string, password = "lovelace"): Promise<void> {
  await page.goto(url);
  await page.getByLabel("Name").fill("ada");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForLoadState();
}

const title = (page: Page) => page.getByRole("heading", { level: 1 }).innerText();
const press = async (page: Page, name: string) => {
  await page.getByRole("button", { name, exact: true }).click();
  await page.waitForLoadState();
};
const cookieOf = async (context: BrowserContext) => (await context.cookies()).find(({ name }) => name === "session");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
  const [laptop, phone] = [await browser.newContext(), await browser.newContext({ userAgent: "A phone" })];
  const [one, two] = [await laptop.newPage(), await phone.newPage()];

  await one.goto(here);
  seen.visitor = [await title(one), await one.locator("#visits").innerText()];
  const planted = await cookieOf(laptop);
  await logIn(one, here, "wrong");
  seen.wrong = await one.getByRole("alert").innerText();
  await logIn(one, here);
  seen.loggedIn = await title(one);
  const cookie = await cookieOf(laptop);
  seen.newId = cookie?.value !== planted?.value;
  seen.attributes = [cookie?.httpOnly, cookie?.sameSite, cookie?.path, cookie?.secure];
  seen.hidden = await one.evaluate("document.cookie");

  // It stays: after a reload, in another tab, and in another process of the site.
  await one.reload();
  const tab = await laptop.newPage();
  await tab.goto(there);
  seen.stays = [await title(one), await title(tab), await tab.locator("#visits").innerText()];

  await logIn(two, there);
  await one.goto(here);
  seen.devices = await one.getByRole("listitem").count();
  seen.named = (await one.getByRole("listitem").allInnerTexts()).some((text) =>
    text.startsWith("A phone at 127.0.0.1")
  );

  await press(one, "End");
  await two.reload();
  seen.ended = [await title(one), await title(two)];

  await logIn(two, there);
  await press(two, "Log out all others");
  await one.reload();
  seen.others = [await title(two), await title(one)];

  await logIn(one, here);
  await press(one, "Log out everywhere");
  await two.reload();
  await tab.reload();
  seen.everywhere = [await title(one), await title(two), await title(tab)];

  await logIn(two, here);
  await press(two, "Log out");
  seen.loggedOut = await title(two);
  await two.goBack();
  await two.reload();
  seen.back = await title(two);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
Deno.exit(0);
