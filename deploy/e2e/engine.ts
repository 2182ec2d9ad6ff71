import { run, succeeded } from "./run.ts";

/** No Docker engine can run on this machine; the message says why. */
export class NoEngineError extends Error {
  override readonly name: string = "NoEngineError";
}

/** How long the engine may take to answer, in milliseconds. */
const START_TIMEOUT = 30_000;

/** A Docker engine of our own, started by hand, with its data in a folder that goes away with it. */
export class Engine implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;

  private constructor(folder: string, child: Deno.ChildProcess) {
    this.#folder = folder;
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
    for (const program of ["dockerd", "docker", "iptables"]) {
      if (await succeeded(program, ["--version"])) continue;
      throw new NoEngineError(`wanted "${program}" on PATH, got none (on Debian: docker.io and iptables)`);
    }
    const folder = await Deno.makeTempDir({ prefix: "larder-swarm-" });
    const log = await Deno.open(`${folder}/log`, { create: true, write: true });
    const child = new Deno.Command("dockerd", {
      args: [
        ...["--host", `unix://${folder}/socket`, "--pidfile", `${folder}/pid`],
        ...["--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`],
        // Nothing on the machine's own network is touched but the bridge that a Swarm needs.
        ...["--bridge", "none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    void child.stderr.pipeTo(log.writable).catch(() => {});
    const engine = new Engine(folder, child);
    try {
      await engine.#answers();
      await engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1");
      return engine;
    } catch (error) {
      const end = (await Deno.readTextFile(`${folder}/log`)).trim().split("\n").slice(-5).join("\n");
      await engine[Symbol.asyncDispose]();
      throw new NoEngineError(`${error instanceof Error ? error.message : error}\nThe end of its log:\n${end}`);
    }
  }

  /** A folder for files that go away with the engine. */
  get folder(): string {
    return this.#folder;
  }

  /** What `docker` has to be started with. */
  get env(): Record<string, string> {
    return {
      DOCKER_HOST: `unix://${this.#folder}/socket`,
      DOCKER_CONFIG: `${this.#folder}/config`,
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.docker("swarm", "leave", "--force").catch(() => {});
    await this.docker("network", "rm", "docker_gwbridge").catch(() => {});
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await succeeded("umount", ["--recursive", `${this.#folder}/exec/netns/default`]);
    await Deno.remove(this.#folder, { recursive: true });
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
