import { RedisServer } from "../support/redis_server.ts";
import { exchange, type RespReply } from "../support/resp.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url);
const PASSWORD = "the password of the app";
const OPS_PASSWORD = "the password of the operator";
/** What the test decides: where the server listens, and where its files are. All else is as deployed. */
const REPLACED = /^(port|bind|logfile|aclfile) .*\n/gm;

/** Whether a server can be started with the files of deploy/: it has to be a process of this machine. */
export const possible: boolean = RedisServer.controllable && !Deno.env.get("LARDER_TEST_REDIS_IMAGE");

/** The lines of the ACL file as start.sh renders it. */
export async function renderAcl(namespace: string = "larder"): Promise<string> {
  const template = await Deno.readTextFile(new URL("users.acl.tmpl", DEPLOY));
  return template
    .replaceAll("@NAMESPACE@", namespace)
    .replace("@APP_PASSWORDS@", `#${await sha256(PASSWORD)}`)
    .replace("@OPS_PASSWORD@", `#${await sha256(OPS_PASSWORD)}`);
}

/** The commands that a user may run. */
export async function commandsOf(user: string): Promise<Set<string>> {
  const line = (await renderAcl()).split("\n").find((line) => line.startsWith(`user ${user} `))!;
  return new Set(line.split(" ").filter((rule) => rule.startsWith("+")).map((rule) => rule.slice(1)));
}

/** A Redis server with the redis.conf and the ACL that are deployed. */
export class DeployedRedis implements AsyncDisposable {
  /** The server; its `cli()` is the operator. */
  readonly server: RedisServer;
  readonly #folder: string;

  private constructor(server: RedisServer, folder: string) {
    this.server = server;
    this.#folder = folder;
  }

  /** Starts it. */
  static async start(): Promise<DeployedRedis> {
    const folder = await Deno.makeTempDir({ prefix: "larder-deploy-" });
    const text = await Deno.readTextFile(new URL("redis.conf", DEPLOY));
    const kept = text.replace(REPLACED, "");
    if (text.split("\n").length - kept.split("\n").length !== 4) throw new Error("redis.conf is not as it was");
    await Deno.writeTextFile(`${folder}/redis.conf`, kept);
    await Deno.writeTextFile(`${folder}/users.acl`, await renderAcl());
    const server = await RedisServer.start({
      args: ["--include", `${folder}/redis.conf`, "--aclfile", `${folder}/users.acl`],
      login: { username: "ops", password: OPS_PASSWORD },
    });
    return new DeployedRedis(server, folder);
  }

  /** What the app connects with. */
  get options(): { url: string; username: string; password: string } {
    return { url: `redis://${this.server.hostname}:${this.server.port}`, username: "app", password: PASSWORD };
  }

  /** Sends commands as the app does; error replies come in place. */
  async asApp(...commands: string[][]): Promise<(RespReply | Error)[]> {
    const { hostname, port } = this.server;
    return await exchange({ hostname, port, username: "app", password: PASSWORD }, commands);
  }

  /** What was refused so far: who, what and why. */
  async refused(): Promise<string[]> {
    const entries = await this.server.cli("ACL", "LOG", 100) as RespReply[][];
    return entries.map((entry) => {
      const field = (name: string) => entry[entry.indexOf(name) + 1];
      return `${field("username")} ${field("reason")} ${field("object")} (${field("context")})`;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function sha256(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
