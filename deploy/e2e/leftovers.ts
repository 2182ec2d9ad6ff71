import { run } from "./run.ts";

/** What an engine may leave on a machine: rules of the firewall, interfaces and mounts. */
export class Leftovers {
  readonly #before: Set<string>;

  private constructor(before: Set<string>) {
    this.#before = before;
  }

  /** Notes what is there before the engine starts. */
  static async before(): Promise<Leftovers> {
    return new Leftovers(new Set(await state()));
  }

  /**
   * Removes the rules that came since, as encrypted networks leave some behind.
   *
   * @throws {Error} If anything else is there that was not there before.
   */
  async clean(): Promise<string> {
    let rules = 0;
    for (const line of await state()) {
      if (this.#before.has(line)) continue;
      const [, table, rule] = /^iptables (\S+) -A (.*4789.*)$/.exec(line) ?? [];
      if (rule === undefined) continue;
      await run("sh", ["-c", `iptables -t ${table} -D ${rule}`]);
      rules++;
    }
    const left = (await state()).filter((line) => !this.#before.has(line));
    if (left.length > 0) throw new Error(`Left behind: ${left.join("; ")}`);
    return rules > 0 ? `${rules} firewall rules of the encrypted network were removed` : "";
  }
}

async function state(): Promise<string[]> {
  const lines: string[] = [];
  for (const table of ["filter", "nat", "mangle"]) {
    const rules = await run("iptables", ["-t", table, "-S"]).catch(() => "");
    lines.push(...rules.split("\n").filter((line) => line.startsWith("-")).map((rule) => `iptables ${table} ${rule}`));
  }
  for await (const { name } of Deno.readDir("/sys/class/net")) lines.push(`interface ${name}`);
  const mounts = await Deno.readTextFile("/proc/mounts");
  lines.push(...mounts.split("\n").filter((line) => line.includes("larder-swarm-")).map((line) => `mount ${line}`));
  return lines;
}
