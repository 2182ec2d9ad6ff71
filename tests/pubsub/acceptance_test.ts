// deno-lint-ignore-file no-console
import { assert, assertEquals, assertLess } from "@std/assert";
import { connect } from "../../mod.ts";
import { readUntil, REDIS_CLIENT, startDeno } from "../examples/child.ts";
import { sized } from "../support/effort.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import type { Report, Tick, Told } from "./listener_process.ts";

/** How many messages are published; with `TEST_EFFORT=10` as many as were promised. */
const MESSAGES = sized(3000, 100_000);
/** How many may be on their way. */
const WINDOW = 64;

Deno.test({
  name: `${MESSAGES} messages, 3 processes, a connection that falls silent, a restart: nothing is missed in silence`,
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    const children = [proxy.url, server.url].map((url) => {
      const flags = ["--no-lock", "--no-check", ...new Set([...REDIS_CLIENT, "--allow-net", "--allow-env"])];
      return startDeno(["run", ...flags, "tests/pubsub/listener_process.ts", url]);
    });
    await using redis = await connect({
      url: server.url,
      namespace: "ticks",
      commandTimeout: "10s",
      on: () => {},
    });
    await redis.ready({ timeout: "20s" });
    const ticks = redis.pubsub.channel<Tick>("ticks");
    const text = "x".repeat(1000);
    const published = new Set<number>();
    let next = 1;
    const publish = async (count: number) => {
      const end = next + count;
      await Promise.all(Array.from({ length: WINDOW }, async () => {
        while (next < end) {
          const id = next++;
          try {
            if (await ticks.publish({ id, text }) > 0) published.add(id);
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 2)); // it may have gone out all the same
          }
        }
      }));
    };
    try {
      await Promise.all(children.map(({ stdout }) => readUntil(/ready/, stdout)));
      const part = Math.floor(MESSAGES / 5);
      await publish(part);
      // The first process is cut off without a sign, and finds out.
      const { accepted } = proxy;
      proxy.freeze();
      await publish(part);
      await until(() => proxy.accepted > accepted + 1, "the silence is noticed");
      proxy.thaw();
      proxy.cut();
      const back = async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        await until(async () => await ticks.publish({ id: next++, text }).catch(() => 0) === 2, "both are there");
      };
      await back();
      await publish(part);
      // All are cut off.
      const [restarted] = await Promise.all([server.restart(), publish(part)]);
      assertEquals(restarted, undefined);
      await back();
      await publish(part);
      const ends = setInterval(() => void ticks.publish({ id: 0, text }).catch(() => {}), 100);
      const outputs = await Promise.all(children.map((child) => child.output())).finally(() => clearInterval(ends));
      const reports = outputs.map(({ stdout, stderr }): Report => {
        const said = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
        assert(said.startsWith("{"), new TextDecoder().decode(stderr));
        return JSON.parse(said);
      });
      for (const report of reports) {
        const figures = JSON.stringify(report);
        for (const { silent } of [report.fast, report.slow] satisfies Told[]) {
          // What could not be published is not missed.
          const missed = silent.filter(([first, last]) => {
            for (let id = first; id <= last; id++) if (published.has(id)) return true;
            return false;
          });
          assertEquals(missed, [], figures);
        }
        assertLess(report.slow.received, report.fast.received, figures);
        assertEquals(report.slow.received + report.slow.dropped > 0.9 * report.fast.received, true, figures);
        assertLess(report.grown, 200 * 2 ** 20, figures);
      }
      const [silenced, beside] = reports as [Report, Report];
      // Each loss of touch is told once, and nothing else is.
      const told = (report: Report, losses: number) => {
        assertEquals(report.fast.gaps, losses, JSON.stringify(reports));
      };
      told(beside, 1); // the restart
      told(silenced, 2); // that, and the silence
      assert(beside.fast.received >= 0.7 * published.size, JSON.stringify(reports));
      if (Deno.env.has("TEST_EFFORT")) console.log(MESSAGES, published.size, JSON.stringify(reports));
    } finally {
      for (const child of children) {
        try {
          child.kill("SIGKILL");
        } catch {
          // It has ended.
        }
        await child.status;
        await child.stdout.cancel().catch(() => {});
        await child.stderr.cancel().catch(() => {});
      }
    }
  },
});
