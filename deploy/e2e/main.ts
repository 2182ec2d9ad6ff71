/**
 * Deploys docker-compose.swarm.yml on a real Swarm of one node and looks whether it does what deploy/README.md says:
 *
 *     deno run -A deploy/e2e/main.ts
 *
 * It needs Linux, root, Debian's `docker.io` and `iptables`, and the programs that stand in for the images (`redis-server`,
 * `redis-cli`, `tini`), since nothing is pulled. It starts an engine of its own and leaves nothing behind. Traefik itself is not
 * run: what it reads is compared with what the engine holds, and the container `probe` does what it would do. With `--hold` it waits
 * after a failure, so that one can look around.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { STEPS } from "./steps.ts";
import { Engine, NoEngineError } from "./engine.ts";
import { Leftovers } from "./leftovers.ts";
import { Stack } from "./stack.ts";

async function main(): Promise<number> {
  const began = performance.now();
  const leftovers = await Leftovers.before();
  let failed = 0;
  let passed = 0;
  const step = async (name: string, run: () => Promise<string | void>) => {
    const began = performance.now();
    const time = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
    try {
      const said = await run();
      passed++;
      console.log(`ok      ${name} (${time()})${said ? `\n        ${said}` : ""}`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${name} (${time()})\n        ${error instanceof Error ? error.message : error}`);
      throw error;
    }
  };
  let engine: Engine | undefined;
  const interrupted = () => void engine?.[Symbol.asyncDispose]().finally(() => Deno.exit(130));
  Deno.addSignalListener("SIGINT", interrupted);
  try {
    await step("an engine starts, and is a Swarm", async () => {
      engine = await Engine.start();
      return `Docker ${await engine.docker("version", "--format", "{{.Server.Version}}")}`;
    });
    const stack = new Stack(engine!);
    for (const [name, run] of Object.entries(STEPS)) await step(name, () => run(engine!, stack));
  } catch (error) {
    if (error instanceof NoEngineError) console.error(`No Docker engine can run here: ${error.message}`);
    else if (failed === 0) throw error;
    else if (engine) await report(engine);
    if (engine && Deno.args.includes("--hold")) {
      console.error(`\nHeld until Enter: export DOCKER_HOST=${engine.env.DOCKER_HOST}`);
      await Deno.stdin.read(new Uint8Array(1));
    }
  } finally {
    await engine?.[Symbol.asyncDispose]();
    Deno.removeSignalListener("SIGINT", interrupted);
  }
  try {
    await step("nothing is left behind", () => leftovers.clean());
  } catch {
    // It is counted.
  }
  console.log(`${passed} passed, ${failed} failed in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return failed > 0 ? 1 : 0;
}

/** What helps to find out why a step failed. */
async function report(engine: Engine): Promise<void> {
  for (const args of [["service", "ls"], ["stack", "ps", "--no-trunc", "larder"], ["service", "logs", "larder_app"]]) {
    const text = await engine.docker(...args).catch(String);
    console.error(`\n$ docker ${args.join(" ")}\n${text.split("\n").slice(-20).join("\n")}`);
  }
}

if (import.meta.main) Deno.exit(await main());
