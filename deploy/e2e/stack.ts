import type { Engine } from "./engine.ts";
import type { Answer, Load } from "./probe.ts";
import { run } from "./run.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
/** The file of the stack. */
export const STACK_FILE: string = `${ROOT}docker-compose.swarm.yml`;
/** What is added to it for TLS. */
export const TLS_FILE: string = `${ROOT}deploy/tls.yml`;
const PROBE = new URL("./probe.ts", import.meta.url);
/** How long tasks may take to get where they are wanted, in milliseconds. */
const PATIENCE = 180_000;
/** The network of Traefik. */
const NETWORK = "traefik-public";

/** A request: address, path, and the rest. */
export type Request = [address: string, path: string, options?: { method?: string; body?: unknown; cookie?: string }];

/** The stack, deployed under a name. */
export class Stack {
  readonly name: string = "larder";
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Does what deploy/README.md asks for before the first deployment, and starts the container that sends requests. */
  async prepare(image: string): Promise<void> {
    const { docker } = this;
    const node = await docker("node", "ls", "--quiet");
    await docker("node", "update", "--label-add", "redis=true", node);
    await docker("network", "create", "--driver", "overlay", NETWORK);
    await this.createSecret("redis_password_v1");
    await docker(
      ...["service", "create", "--detach", "--name", "probe", "--network", NETWORK, "--endpoint-mode", "dnsrr"],
      ...["--no-resolve-image", "--entrypoint", "/bin/deno", image, "eval", "setInterval(() => {}, 1e6)"],
    );
  }

  /** Makes a secret, out of random bytes unless its content is given. */
  async createSecret(name: string, content: string = randomText()): Promise<void> {
    await this.#engine.dockerWith({ stdin: content }, "secret", "create", name, "-");
  }

  /** Deploys it; gives what `docker` printed. */
  deploy(env: Record<string, string>, ...more: string[]): Promise<string> {
    return this.#engine.dockerWith(
      { env: { APP_HOST: "app.example.com", ...env } },
      ...["stack", "deploy", "--resolve-image", "never"],
      ...[STACK_FILE, ...more].flatMap((file) => ["--compose-file", file]),
      this.name,
    );
  }

  /** Runs a script of deploy/ on the machine of the engine. */
  script(name: string, ...args: string[]): Promise<string> {
    return run("sh", [`${ROOT}deploy/${name}`, ...args], { env: this.#engine.env });
  }

  /** `docker`, of the engine. */
  readonly docker = (...args: string[]): Promise<string> => this.#engine.docker(...args);

  /** What the engine knows of a service. */
  // deno-lint-ignore no-explicit-any -- Docker's own format
  async inspect(service: string): Promise<any> {
    return JSON.parse(await this.docker("service", "inspect", `${this.name}_${service}`))[0];
  }

  /** The ids of the containers of a service that run. */
  async containers(service: string): Promise<string[]> {
    const filter = `label=com.docker.swarm.service.name=${service === "probe" ? service : `${this.name}_${service}`}`;
    return (await this.docker("ps", "--quiet", "--filter", filter)).split("\n").filter(Boolean).sort();
  }

  /**
   * Waits until so many tasks of a service run, each healthy, and no update of it is under way; of a single task, until
   * it runs: all that is left of its update then is to watch it for a while.
   */
  async converged(service: string, tasks: number): Promise<void> {
    await until(async () => {
      const { UpdateStatus } = await this.inspect(service);
      if (UpdateStatus?.State === "paused" || UpdateStatus?.State?.startsWith("rollback")) {
        throw new Error(`The update of ${service} failed: ${UpdateStatus.Message}`);
      }
      if (UpdateStatus?.State === "updating" && tasks > 1) return false;
      const states = await this.docker(
        ...["service", "ps", "--filter", "desired-state=running", "--format", "{{.CurrentState}}"],
        `${this.name}_${service}`,
      );
      const lines = states.split("\n").filter(Boolean);
      return lines.length === tasks && lines.every((line) => line.startsWith("Running"));
    }, `${tasks} of ${service} run`);
  }

  /** The addresses of the tasks of the app, as they are found by name on the overlay network. */
  addresses(): Promise<string[]> {
    return this.resolve("tasks.app");
  }

  /** The addresses that a name has on the overlay network of Traefik. */
  async resolve(name: string): Promise<string[]> {
    return await this.#probe(undefined, "resolve", name);
  }

  /** Sends requests from another service on the overlay network. */
  async send(...requests: Request[]): Promise<Answer[]> {
    return await this.#probe(undefined, "send", JSON.stringify(requests));
  }

  /** Sends requests to the app, as Traefik would, while something happens: for a product, and with a session. */
  async loaded(cookie: string, happens: () => Promise<void>): Promise<Load> {
    let end = () => {};
    const happened = new Promise<void>((resolve) => end = resolve);
    const load = this.#probe<Load>(happened, "load", "8", cookie);
    // A load that fails at once must not stay unnoticed until the end.
    await Promise.race([load, happens()]);
    end();
    return await load;
  }

  async #probe<T>(ends: Promise<void> | undefined, ...args: string[]): Promise<T> {
    const [container] = await this.containers("probe");
    const module = await Deno.readTextFile(PROBE);
    // Standard input is for the end of the load, so the program goes along as an argument.
    const url = `data:application/typescript;base64,${btoa(String.fromCharCode(...new TextEncoder().encode(module)))}`;
    const child = new Deno.Command("docker", {
      args: ["exec", "--interactive", container!, "deno", "run", "--quiet", "--allow-all", url, ...args],
      env: this.#engine.env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const stop = ends ?? Promise.resolve();
    void stop.then(() => child.stdin.close()).catch(() => {}); // it has ended
    const { success, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`The probe failed: ${decoder.decode(stderr)}`);
    return JSON.parse(decoder.decode(stdout));
  }

  /** Removes it, and waits until its containers, and with them its networks and volumes, are gone. */
  async remove(): Promise<void> {
    await this.docker("stack", "rm", this.name);
    await this.docker("service", "rm", "probe");
    await until(async () => await this.docker("ps", "--quiet") === "", "all containers are gone");
    await until(() => this.docker("network", "rm", NETWORK).then(() => true, () => false), "the network is gone");
    await until(async () => !(await this.docker("network", "ls")).includes(this.name), "the networks are gone");
  }
}

/** Waits until something holds. */
export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function randomText(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
