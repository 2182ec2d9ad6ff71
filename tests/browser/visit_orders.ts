/**
 * Drives two headless Chromiums through the example of orders: `visit_orders.ts CHROMIUM URL URL`, where two processes
 * serve the same site. Prints what it has seen as one line of JSON.
 *
 * @module
 */
// deno-lint-ignore-file no-console no-import-prefix
import { chromium, type Page } from "npm:playwright-core@1.65.1";

const [executablePath, here, there] = Deno.args as [string, string, string];
const seen: Record<string, unknown> = {};

const order = async (page: Page, item: string) => {
  await page.getByLabel("Item").fill(item);
  await page.getByRole("button", { name: "Order" }).click();
};
const listed = async (page: Page, count: number) => {
  await page.getByRole("listitem").nth(count - 1).waitFor();
  return await page.getByRole("listitem").allInnerTexts();
};

const launch = () => chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const browsers = await Promise.all([launch(), launch()]);
try {
  const [one, two] = await Promise.all(browsers.map((browser) => browser.newPage())) as [Page, Page];
  await Promise.all([one.goto(here), two.goto(there)]);
  for (const page of [one, two]) await page.getByText("live").waitFor();
  await order(one, "cheese");
  seen.first = [await listed(one, 1), await listed(two, 1)];
  await order(two, "<b>bread</b>");
  seen.second = [await listed(one, 2), await listed(two, 2)];
  // Who comes later sees what is kept.
  const late = await browsers[0]!.newPage();
  await late.goto(there);
  seen.late = await listed(late, 2);
  console.log("READY TO CUT");
  // Meanwhile subscriptions are cut, and an order is placed that one of them may miss.
  await new Promise<void>((resolve) => setTimeout(resolve, 500));
  await order(one, "milk");
  seen.third = [await listed(one, 3), await listed(two, 3), await listed(late, 3)];
} finally {
  await Promise.all(browsers.map((browser) => browser.close()));
}
console.log(JSON.stringify(seen));
Deno.exit(0);
