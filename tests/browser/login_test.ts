import { assertEquals } from "@std/assert";
import { REDIS_CLIENT, startDeno } from "../examples/child.ts";
import { RedisServer } from "../support/redis_server.ts";

/** Where Chromium is: what the environment names, or where systems put it. */
const PLACES = [
  Deno.env.get("CHROMIUM"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const found = await Promise.all(PLACES.map((place) => place && Deno.stat(place).then(() => place, () => undefined)));
const chromium = found.find((place) => place);
const skipped = chromium ? "" : " (SKIPPED: there is no Chromium; install it or name it in CHROMIUM)";

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream()).values({ preventCancel: true })) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text.trim();
}

Deno.test({
  name: `A browser logs in, stays, and is logged out everywhere${skipped}`,
  ignore: chromium === undefined,
  fn: async () => {
    await using server = await RedisServer.start();
    const sites = ["a", "b"].map(() =>
      startDeno([
        "run",
        "--no-lock",
        "--no-check",
        ...REDIS_CLIENT,
        "--allow-net",
        "--allow-env",
        "examples/login/main.ts",
      ], {
        env: { PORT: "0", REDIS_URL: server.url },
      })
    );
    try {
      const urls = await Promise.all(sites.map(({ stdout }) => firstLine(stdout)));
      const browse = startDeno([
        "run",
        "--no-lock",
        "--no-check",
        "--allow-all",
        "tests/browser/browse.ts",
        chromium!,
        ...urls,
      ]);
      const { success, stdout, stderr } = await browse.output();
      const decoder = new TextDecoder();
      if (!success) throw new Error(`Cannot drive Chromium:\n${decoder.decode(stderr)}`);
      const login = "Log in";
      const hello = "Hello, ada";
      assertEquals(JSON.parse(decoder.decode(stdout).trim().split("\n").at(-1)!), {
        visitor: [login, "Visits: 1"],
        wrong: "Wrong name or password",
        loggedIn: hello,
        newId: true,
        attributes: [true, "Lax", "/", false],
        hidden: "",
        stays: [hello, hello, "Visits: 6"],
        devices: 2,
        named: true,
        ended: [hello, login],
        others: [hello, login],
        everywhere: [login, login, login],
        loggedOut: login,
        back: login,
      });
    } finally {
      for (const site of sites) {
        site.kill("SIGKILL");
        await site.status;
        await site.stdout.cancel().catch(() => {});
        await site.stderr.cancel().catch(() => {});
      }
    }
  },
});
