import { assertEquals } from "@std/assert";
import { readUntil, REDIS_CLIENT, startDeno } from "../examples/child.ts";
import { testWith } from "../support/program.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test(
  await testWith("chromium", "A browser logs in, stays, and is logged out everywhere", async (chromium) => {
    await using server = await RedisServer.start();
    const sites = ["a", "b"].map(() =>
      startDeno([
        "run",
        "--no-lock",
        "--no-check",
        ...new Set([...REDIS_CLIENT, "--allow-net", "--allow-env"]), // each once, or Deno 2.1 refuses
        "examples/login/main.ts",
      ], {
        env: { PORT: "0", REDIS_URL: server.url },
      })
    );
    try {
      const urls = await Promise.all(sites.map(async ({ stdout }) => (await readUntil(/http:\S+:\d+/, stdout))[0]));
      const browse = startDeno([
        "run",
        "--no-lock",
        "--no-check",
        "--allow-all",
        "tests/browser/browse.ts",
        chromium,
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
  }),
);
