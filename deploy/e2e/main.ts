/**
 * Deploys docker-compose.swarm.yml on a real Swarm of one node and looks whether it does what deploy/README.md says:
 *
 *     deno run -A deploy/e2e/main.ts
 *
 * It needs Linux, root, Debian's `docker.io`, `iptables` and `iproute2`, and the programs that stand in for the images
 * (`redis-server`, `redis-cli`, `tini`), since nothing is pulled. It starts an engine of its own, apart from any that
 * is there, and leaves nothing behind. Traefik itself is not run: what it reads is compared with what the engine holds,
 * and the container `probe` does what it would do. With `--hold` it waits after a failure, so that one can look around.
 *
 * It ends with 0 when all went well, with 1 when something failed, with 2 where no engine can run, and with 130 when it
 * is interrupted.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { checkFiles } from "./checks.ts";
import { Engine, NoEngineError } from "./engine.ts";
import { Leftovers } from "./leftovers.ts";
import { Stack } from "./stack.ts";
import { STEPS } from "./steps.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Runs steps, says what became of them, and counts them. */
class Report {
  passed = 0;
  failed = 0;
  interrupted = false;

  async step(name: string, run: () => Promise<string | void>): Promise<void> {
    if (this.interrupted) throw new Error("interrupted");
    const began = performance.now();
    const time = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
    try {
      const said = await run();
      this.passed++;
      console.log(`ok      ${name} (${time()})${said ? `\n        ${said}` : ""}`);
    } catch (error) {
      if (error instanceof NoEngineError && !this.interrupted) throw error;
      this.failed++;
      const why = this.interrupted ? "interrupted" : error instanceof Error ? error.message : error;
      console.log(`FAILED  ${name} (${time()})\n        ${why}`);
      throw error;
    }
  }
}

async function main(): Promise<number> {
  const began = performance.now();
  const leftovers = await Leftovers.before();
  const report = new Report();
  let engine: Engine | undefined;
  let code = 0;
  const interrupt = () => {
    report.interrupted = true;
    void engine?.[Symbol.asyncDispose](); // whatever goes on fails without it
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, interrupt);
  try {
    await report.step("an engine starts, and is a Swarm", async () => {
      engine = await Engine.start();
      return `Docker ${await engine.docker("version", "--format", "{{.Server.Version}}")}`;
    });
    await report.step("docker stack config takes the files, and no others", checkFiles);
    const stack = new Stack(engine!);
    for (const [name, run] of Object.entries(STEPS)) await report.step(name, () => run(engine!, stack));
  } catch (error) {
    code = report.interrupted ? 130 : 1;
    if (error instanceof NoEngineError && code === 1) {
      code = 2;
      console.error(`No Docker engine can run here: ${error.message}`);
    } else if (engine && !report.interrupted) {
      await tellMore(engine);
      if (Deno.args.includes("--hold")) {
        console.error(`\nHeld until Enter: export DOCKER_HOST=${engine.env.DOCKER_HOST}`);
        await Deno.stdin.read(new Uint8Array(1));
      }
    }
  } finally {
    await engine?.[Symbol.asyncDispose]();
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, interrupt);
  }
  if (code === 2) {
    await leftovers.check();
    return code;
  }
  report.interrupted = false;
  await report.step("nothing is left behind", () => leftovers.check()).catch(() => code ||= 1);
  console.log(
    `${report.passed} passed, ${report.failed} failed in ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  return code;
}

/** What helps to find out why a step failed. */
async function tellMore(engine: Engine): Promise<void> {
  for (const args of [["service", "ls"], ["stack", "ps", "--no-trunc", "larder"], ["service", "logs", "larder_app"]]) {
    const text = await engine.docker(...args).catch(String);
    console.error(`\n$ docker ${args.join(" ")}\n${text.split("\n").slice(-20).join("\n")}`);
  }
}

if (import.meta.main) Deno.exit(await main());
