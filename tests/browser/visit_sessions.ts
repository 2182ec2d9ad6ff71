/**
 * Drives a headless Chromium through races about sessions: `visit_sessions.ts CHROMIUM URL OTHER ROUNDS`, where URL and
 * OTHER are two services of `sessions_test.ts` on one host. Prints what it has seen as one line of JSON: how many
 * rounds ended as they must not.
 *
 * @module
 */
// deno-lint-ignore-file no-console no-import-prefix
import { chromium, type Page } from "npm:playwright-core@1.65.1";

const [executablePath, here, there, count] = Deno.args as [string, string, string, string];
const rounds = Number(count);

/** What a page asks for in the background, as its own scripts do. */
function ask(page: Page, path: string, method = "GET"): Promise<string> {
  return page.evaluate(
    `fetch(${JSON.stringify(path)}, { method: ${JSON.stringify(method)} }).then((answer) => answer.text())`,
  ) as Promise<string>;
}

const random = (most: number) => Math.floor(Math.random() * most);
/** A poll that reads early or late, and is answered early or late. */
const poll = (what: string) => `/poll?${what}&before=${random(40)}&after=${random(60)}`;

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });

const [context, elsewhere] = [await browser.newContext(), await browser.newContext()];
const [page, tab, stranger] = [await context.newPage(), await context.newPage(), await elsewhere.newPage()];

/** Runs a round in a browser without cookies, and counts what it finds. */
async function inRounds(round: (i: number) => Promise<Record<string, boolean>>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < rounds; i++) {
    await Promise.all([context.clearCookies(), elsewhere.clearCookies()]);
    for (const [what, found] of Object.entries(await round(i))) counts[what] = (counts[what] ?? 0) + Number(found);
  }
  return counts;
}

const seen: Record<string, unknown> = {};
try {
  await stranger.goto(`${here}/home`);

  seen.poll = await inRounds(async () => {
    await page.goto(`${here}/visit`);
    const polls = Array.from({ length: 6 }, (_, i) => ask(page, poll(["get", "count", "none"][i % 3]!)));
    const login = ask(page, `/login?user=ada&wait=${random(60)}`, "POST");
    await Promise.all([...polls, login]);
    return { loggedOut: await ask(page, "/who") !== "ada", stranger: await ask(stranger, "/who") !== "nobody" };
  });

  seen.twice = await inRounds(async () => {
    await page.goto(`${here}/visit`);
    const send = () => ask(page, `/login?user=ada&wait=${random(40)}`, "POST");
    await Promise.all([send(), send()]);
    return { loggedOut: await ask(page, "/who") !== "ada" };
  });

  seen.form = await inRounds(async () => {
    await page.goto(`${here}/form`);
    // Impatient: the first answer is not waited for.
    await page.evaluate("document.forms[0].submit()");
    await page.waitForTimeout(random(30));
    await page.evaluate("document.forms[0]?.submit()").catch(() => {});
    await page.waitForURL(`${here}/home`);
    return { loggedOut: await ask(page, "/who") !== "ada" };
  });

  await tab.goto(`${here}/home`);
  seen.tabs = await inRounds(async () => {
    await page.goto(`${here}/visit`);
    const polls = () => Array.from({ length: 4 }, (_, i) => ask(page, poll(["get", "count"][i % 2]!)));
    const busy = polls();
    await ask(tab, `/login?user=ada&wait=${random(40)}`, "POST");
    await Promise.all(busy);
    const loggedOut = await ask(page, "/who") !== "ada" || await ask(tab, "/who") !== "ada";
    // A new id for each tab, as pages ask for it that show what is secret.
    await Promise.all([ask(page, "/renew", "POST"), ask(tab, "/renew", "POST"), ...polls()]);
    const lost = await ask(page, "/who") !== "ada";
    const late = polls();
    await ask(tab, "/logout", "POST");
    await Promise.all(late);
    return { loggedOut, lost, back: await ask(page, "/who") === "ada" };
  });

  await tab.goto(`${there}/home`);
  await page.goto(`${here}/home`);
  seen.services = await inRounds(async (i) => {
    await ask(page, "/login?user=ada", "POST");
    // Whatever the other does: it looks, or counts its visitors, or somebody logs in there too.
    const what = i % 3;
    if (what === 0) await Promise.all([ask(tab, poll("get")), ask(tab, poll("none"))]);
    if (what === 1) await ask(tab, poll("count"));
    if (what === 2) await ask(tab, "/login?user=bob", "POST");
    const loggedOut = await ask(page, "/who") !== "ada" || what === 2 && await ask(tab, "/who") !== "bob";
    if (what === 2) await ask(tab, "/logout", "POST");
    return { loggedOut: loggedOut || await ask(page, "/who") !== "ada" };
  });

  seen.pages = await inRounds(async (i) => {
    await page.goto(`${here}/home`);
    const path = `/cached/${i % 2 ? "inside" : "around"}?${i}`;
    const before = await ask(page, path);
    await ask(page, "/login?user=ada", "POST");
    const [user, nobody, again] = [await ask(page, path), await ask(stranger, path), await ask(page, path)];
    await page.goto(`${here}${path}`);
    await ask(page, "/logout", "POST");
    await page.goto(`${here}/home`);
    await page.goBack();
    await page.reload();
    return {
      stale: before !== "nobody" || user !== "ada" || again !== "ada",
      stranger: nobody !== "nobody",
      kept: await page.innerText("body") === "ada",
    };
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
Deno.exit(0);
