import { RedisServer } from "../support/redis_server.ts";
import { exchange, type RespReply } from "../support/resp.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url);
const PASSWORD = "the password of the app";
const OPS_PASSWORD = "the password of the operator";
/** What the test decides: where the server listens, and where its files are. All else is as deployed. */
const REPLACED = /^(port|bind|logfile|aclfile|tls-port|tls-cert-file|tls-key-file|tls-ca-cert-file) .*\n/gm;
/** The certificates of the tests. */
export const CERTIFICATES: URL = new URL("certificates/", import.meta.url);

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
  /** The port for TLS, if it was started with that; the other one takes no TLS. */
  readonly tlsPort: number;
  readonly #folder: string;

  private constructor(server: RedisServer, tlsPort: number, folder: string) {
    this.server = server;
    this.tlsPort = tlsPort;
    this.#folder = folder;
  }

  /** Starts it, also with what tls.conf says if so wanted. */
  static async start(options: { tls?: boolean } = {}): Promise<DeployedRedis> {
    const folder = await Deno.makeTempDir({ prefix: "larder-deploy-" });
    await Deno.writeTextFile(`${folder}/redis.conf`, await withoutReplaced("redis.conf", 4));
    await Deno.writeTextFile(`${folder}/users.acl`, await renderAcl());
    const args = ["--include", `${folder}/redis.conf`, "--aclfile", `${folder}/users.acl`];
    const tlsPort = options.tls ? freePort() : 0;
    if (options.tls) {
      await Deno.writeTextFile(`${folder}/tls.conf`, await withoutReplaced("tls.conf", 5));
      args.push("--include", `${folder}/tls.conf`, "--tls-port", String(tlsPort));
      for (const [directive, file] of [["cert", "redis.pem"], ["key", "redis.key"], ["ca-cert", "ca.pem"]]) {
        args.push(`--tls-${directive}-file`, decodeURIComponent(new URL(file!, CERTIFICATES).pathname));
      }
    }
    const server = await RedisServer.start({ args, login: { username: "ops", password: OPS_PASSWORD } });
    return new DeployedRedis(server, tlsPort, folder);
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

/** A file of deploy/, without so many lines that the test decides. */
async function withoutReplaced(file: string, lines: number): Promise<string> {
  const text = await Deno.readTextFile(new URL(file, DEPLOY));
  const kept = text.replace(REPLACED, "");
  if (text.split("\n").length - kept.split("\n").length !== lines) throw new Error(`${file} is not as it was`);
  return kept;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function sha256(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
