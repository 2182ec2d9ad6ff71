/** How a test controls the Redis that it started. */
export interface RedisProcess {
  /** The process id on this machine, if there is one. */
  readonly pid: number | undefined;
  /** Starts the server on a port of loopback; it keeps the data that it saved earlier. */
  start(port: number, args: string[]): Promise<void>;
  /** Whether the server ended by itself. */
  ended(): Promise<boolean>;
  /** What the server wrote to its log. */
  log(): Promise<string>;
  pause(): Promise<void>;
  /** Lets a paused server run on; does nothing to one that is not paused. */
  resume(): Promise<void>;
  /** Kills the server at once and waits until it is gone. */
  kill(): Promise<void>;
  /** Waits until a server that was told to shut down is gone. */
  wait(): Promise<void>;
  /** Deletes what the server saved. */
  wipe(): Promise<void>;
  /** Kills the server, and removes all that it left. */
  remove(): Promise<void>;
}

/** Processes that a test run must not leave behind, whatever happens to the test. */
const running = new Set<Deno.ChildProcess>();

globalThis.addEventListener("unload", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A `redis-server` of this machine, in a folder of its own. */
export class LocalProcess implements RedisProcess {
  readonly #executable: string;
  #folder = "";
  #child: Deno.ChildProcess | undefined;

  constructor(executable: string) {
    this.#executable = executable;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(port: number, args: string[]): Promise<void> {
    this.#folder ||= await Deno.makeTempDir({ prefix: "larder-redis-" });
    const child = new Deno.Command(this.#executable, {
      args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", this.#folder, "--logfile", "redis.log", ...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#child = child;
    running.add(child);
    child.status.then(() => {
      running.delete(child);
      if (this.#child === child) this.#child = undefined;
    });
  }

  ended(): Promise<boolean> {
    return Promise.resolve(this.#child === undefined);
  }

  log(): Promise<string> {
    return Deno.readTextFile(`${this.#folder}/redis.log`).catch(() => "");
  }

  pause(): Promise<void> {
    return this.#signal("SIGSTOP");
  }

  resume(): Promise<void> {
    return this.#signal("SIGCONT");
  }

  async kill(): Promise<void> {
    await this.#signal("SIGKILL");
    await this.wait();
  }

  async wait(): Promise<void> {
    await this.#child?.status;
  }

  async wipe(): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
    await Deno.mkdir(this.#folder);
  }

  async remove(): Promise<void> {
    await this.kill();
    if (this.#folder) await Deno.remove(this.#folder, { recursive: true });
  }

  #signal(signal: Deno.Signal): Promise<void> {
    try {
      this.#child?.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has just ended
    }
    return Promise.resolve();
  }
}

/** A container of a Docker engine, labelled so that whoever runs the tests can remove those that were left. */
export class DockerProcess implements RedisProcess {
  readonly pid: undefined = undefined;
  readonly #image: string;
  readonly #name = `larder-test-${crypto.randomUUID()}`;
  #created = false;

  constructor(image: string) {
    this.#image = image;
  }

  async start(port: number, args: string[]): Promise<void> {
    if (this.#created) return await this.#docker("start", this.#name);
    const run = Deno.env.get("LARDER_TEST_RUN") ?? "";
    const publish = `127.0.0.1:${port}:6379`;
    this.#created = true;
    await this.#docker(
      ...["run", "--detach", "--name", this.#name, "--label", `larder-test=${run}`, "--publish", publish, this.#image],
      ...["redis-server", "--dir", "/data", ...args],
    );
  }

  async ended(): Promise<boolean> {
    return (await docker("inspect", "--format", "{{.State.Running}}", this.#name)).text.trim() !== "true";
  }

  async log(): Promise<string> {
    return (await docker("logs", this.#name)).text;
  }

  pause(): Promise<void> {
    return this.#docker("pause", this.#name);
  }

  async resume(): Promise<void> {
    await docker("unpause", this.#name); // fails when it is not paused
  }

  async kill(): Promise<void> {
    await this.resume(); // not every engine kills a paused container
    await docker("kill", this.#name);
    await this.wait();
  }

  wait(): Promise<void> {
    return this.#docker("wait", this.#name);
  }

  async wipe(): Promise<void> {
    // The container keeps its data between starts, so it is made anew.
    await this.remove();
    this.#created = false;
  }

  async remove(): Promise<void> {
    if (this.#created) await docker("rm", "--force", "--volumes", this.#name);
  }

  async #docker(...args: string[]): Promise<void> {
    const { success, text } = await docker(...args);
    if (!success) throw new Error(`Cannot run "docker ${args.join(" ")}": ${text.trim()}`);
  }
}

async function docker(...args: string[]): Promise<{ success: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command("docker", { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
}
