import { run } from "./run.ts";

/** Where engines write outside of their folders. */
const FOLDERS = ["/etc/docker", "/opt/containerd", "/run/docker", "/run/containerd", "/var/lib/docker"];
/** Interfaces that engines make. */
const INTERFACE = /^(docker|veth|vx|ov-|br-)/;

/** What an engine may leave on a machine: firewall rules, interfaces, mounts, control groups, files and processes. */
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
   * Looks whether there is more than before.
   *
   * @throws {Error} If there is.
   */
  async check(): Promise<void> {
    const left = (await state()).filter((line) => !this.#before.has(line));
    if (left.length > 0) throw new Error(`Left behind: ${left.join("; ")}`);
  }
}

async function state(): Promise<string[]> {
  const lines: string[] = [];
  for (const table of ["filter", "nat", "mangle"]) {
    const rules = await run("iptables", ["-t", table, "-S"]).catch(() => "");
    lines.push(...rules.split("\n").filter((line) => line.startsWith("-")).map((rule) => `iptables ${table} ${rule}`));
  }
  const mounts = await Deno.readTextFile("/proc/mounts").catch(() => "");
  lines.push(...mounts.split("\n").filter((line) => line.includes("larder-swarm-")).map((line) => `mount ${line}`));
  for (const name of await names("/sys/class/net")) {
    if (INTERFACE.test(name)) lines.push(`interface ${name}`);
  }
  for (const folder of FOLDERS) lines.push(...(await names(folder)).map((name) => `${folder}/${name}`));
  for (const folder of [Deno.env.get("TMPDIR") ?? "/tmp", "/sys/fs/cgroup", ...await groups()]) {
    lines.push(
      ...(await names(folder)).filter((name) => name.startsWith("larder-swarm-")).map((n) => `${folder}/${n}`),
    );
  }
  for (const id of await names("/proc")) {
    const command = /^\d+$/.test(id) ? await Deno.readTextFile(`/proc/${id}/cmdline`).catch(() => "") : "";
    if (command.includes("larder-swarm-")) lines.push(`process ${id} ${command.replaceAll("\0", " ").slice(0, 200)}`);
  }
  return lines;
}

async function groups(): Promise<string[]> {
  return (await names("/sys/fs/cgroup")).map((name) => `/sys/fs/cgroup/${name}`);
}

/** What is in a folder; nothing when there is none. */
async function names(folder: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) found.push(name);
  } catch {
    // It is not there, or it is a file.
  }
  return found;
}
