import { run, succeeded } from "./run.ts";

/** No Docker engine can run on this machine; the message says why. */
export class NoEngineError extends Error {
  override readonly name: string = "NoEngineError";
}

/** How long the engine may take to answer, in milliseconds. */
const START_TIMEOUT = 30_000;

/** What has to be on PATH, and the package of Debian that has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  dockerd: "docker.io",
  docker: "docker.io",
  iptables: "iptables",
  ip: "iproute2",
  unshare: "util-linux",
  nsenter: "util-linux",
};

const SCRIPT = decodeURIComponent(new URL("engine.sh", import.meta.url).pathname);

/**
 * A Docker engine of our own in namespaces of its own: its networks, firewall rules, mounts and processes are not those
 * of the machine, another engine may run beside it, and all of them end with this process, even if that is killed.
 */
export class Engine implements AsyncDisposable {
  /** A folder for files, which goes away with the engine. */
  readonly folder: string;
  readonly #child: Deno.ChildProcess;
  #end: Promise<void> | undefined;

  private constructor(folder: string, child: Deno.ChildProcess) {
    this.folder = folder;
    this.#child = child;
  }

  /**
   * Starts the engine as a Swarm of one node.
   *
   * @throws {NoEngineError} If it cannot run here.
   */
  static async start(): Promise<Engine> {
    if (Deno.build.os !== "linux") throw new NoEngineError(`wanted Linux, got ${Deno.build.os}`);
    if (Deno.uid() !== 0) throw new NoEngineError("wanted root, got another user");
    for (const [program, of] of Object.entries(PROGRAMS)) {
      if (await succeeded("sh", ["-c", `command -v ${program}`])) continue;
      throw new NoEngineError(`wanted "${program}" on PATH, got none (on Debian: apt-get install ${of})`);
    }
    const folder = await Deno.makeTempDir({ prefix: "larder-swarm-" });
    const child = new Deno.Command("unshare", {
      args: [
        ...["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "sh", SCRIPT, folder],
        ...["--host", `unix://${folder}/socket`, "--pidfile", `${folder}/pid`],
        ...["--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`],
        ...["--cgroup-parent", `/${basename(folder)}`, "--exec-opt", "native.cgroupdriver=cgroupfs"],
        ...["--bridge", "none"],
      ],
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const said = new Response(child.stderr).text();
    const engine = new Engine(folder, child);
    try {
      await engine.#answers();
      await engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1");
      return engine;
    } catch (error) {
      const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
      await engine[Symbol.asyncDispose]();
      const end = `${await said}${log}`.trim().split("\n").slice(-5).join("\n");
      throw new NoEngineError(`${error instanceof Error ? error.message : error}\nWhat it said last:\n${end}`);
    }
  }

  /** What `docker` has to be started with. */
  get env(): Record<string, string> {
    return {
      DOCKER_HOST: `unix://${this.folder}/socket`,
      DOCKER_CONFIG: `${this.folder}/config`,
      DOCKER_BUILDKIT: "0", // the builder that needs no plug-in
    };
  }

  /**
   * Runs a command of `docker` and gives what it printed.
   *
   * @throws {Error} If it fails.
   */
  docker(...args: string[]): Promise<string> {
    return this.dockerWith({}, ...args);
  }

  /** Runs a command of `docker` with more variables, or with something to read. */
  dockerWith(options: { env?: Record<string, string>; stdin?: string }, ...args: string[]): Promise<string> {
    return run("docker", args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** Starts a program among the processes and on the network of the engine. */
  spawn(program: string, ...args: string[]): Deno.ChildProcess {
    const namespaces = `/proc/${this.#child.pid}/ns`;
    return new Deno.Command("nsenter", {
      args: [`--net=${namespaces}/net`, `--pid=${namespaces}/pid_for_children`, "--", program, ...args],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end ??= this.#dispose();
  }

  async #dispose(): Promise<void> {
    await this.#child.stdin.close().catch(() => {}); // it has ended
    await this.#child.status;
    for (const group of await controlGroups(basename(this.folder))) await removeGroup(group);
    await Deno.remove(this.folder, { recursive: true });
  }

  async #answers(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT;
    let ended = false;
    this.#child.status.then(() => ended = true);
    while (!await succeeded("docker", ["info"], this.env)) {
      if (ended) throw new Error("dockerd ended");
      if (performance.now() > deadline) throw new Error(`dockerd did not answer within ${START_TIMEOUT} ms`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** The control groups of a name, one in each hierarchy. */
export async function controlGroups(name: string): Promise<string[]> {
  const roots = ["/sys/fs/cgroup"];
  for await (const entry of Deno.readDir(roots[0]!)) {
    if (entry.isDirectory) roots.push(`${roots[0]}/${entry.name}`);
  }
  const found = await Promise.all(roots.map(async (root) => {
    const group = `${root}/${name}`;
    return await Deno.stat(group).then(() => [group], () => []);
  }));
  return found.flat();
}

/** Removes a control group and those in it, whose processes have ended. */
async function removeGroup(group: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(group)) {
    if (isDirectory) await removeGroup(`${group}/${name}`);
  }
  // Deno.remove() asks whether it is empty, which the files of the kernel keep it from being.
  await run("rmdir", [group]);
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
