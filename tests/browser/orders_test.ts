import { assertEquals } from "@std/assert";
import { readUntil, REDIS_CLIENT, startDeno } from "../examples/child.ts";
import { testWith } from "../support/program.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test(
  await testWith("chromium", "Two browsers see each other's orders, over two processes", async (chromium) => {
    await using server = await RedisServer.start();
    const flags = ["--no-lock", "--no-check", ...new Set([...REDIS_CLIENT, "--allow-net", "--allow-env"])];
    const sites = ["a", "b"].map(() =>
      startDeno(["run", ...flags, "examples/orders/main.ts"], { env: { PORT: "0", REDIS_URL: server.url } })
    );
    try {
      const urls = await Promise.all(sites.map(async ({ stdout }) => (await readUntil(/http:\S+:\d+/, stdout))[0]));
      const visit = startDeno([
        ...["run", "--no-lock", "--no-check", "--allow-all", "tests/browser/visit_orders.ts", chromium],
        ...urls,
      ]);
      await readUntil(/READY TO CUT/, visit.stdout);
      await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
      const { success, stdout, stderr } = await visit.output();
      const decoder = new TextDecoder();
      if (!success) throw new Error(`Cannot drive Chromium:\n${decoder.decode(stderr)}`);
      const [one, two, all] = [["cheese"], ["cheese", "<b>bread</b>"], ["cheese", "<b>bread</b>", "milk"]];
      assertEquals(JSON.parse(decoder.decode(stdout).trim().split("\n").at(-1)!), {
        first: [one, one],
        second: [two, two],
        late: two,
        third: [all, all, all],
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
