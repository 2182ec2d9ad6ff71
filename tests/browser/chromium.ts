/** Where Chromium is: what the environment names, or where systems put it. */
const PLACES = [
  Deno.env.get("CHROMIUM"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const found = await Promise.all(PLACES.map((place) => place && Deno.stat(place).then(() => place, () => undefined)));

/** The path of a Chromium, if there is one. */
export const CHROMIUM: string | undefined = found.find((place) => place) || undefined;

/** The end of the names of tests that need it. */
export const SKIPPED: string = CHROMIUM ? "" : " (SKIPPED: there is no Chromium; install it or name it in CHROMIUM)";
