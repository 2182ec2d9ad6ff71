import { DockerProcess, LocalProcess, type RedisProcess } from "./redis_process.ts";
import { exchange, parseRedisUrl, type RespAddress, RespError, type RespReply } from "./resp.ts";

/** What a test wants its server to be like. */
export interface RedisServerOptions {
  /** More arguments for `redis-server`. */
  args?: string[];
  /** Directives of redis.conf, such as `{ maxmemory: "10mb" }`. */
  config?: Record<string, string | number>;
  /** Who `cli()` is, if not the default user. */
  login?: { username: string; password: string };
  /**
   * What the default user may do, as in `APP_RIGHTS`; `cli()` may do everything. Whatever was refused is an error at
   * the end. `LARDER_TEST_REDIS_RIGHTS` takes its place. @default {everything}
   */
  rights?: string;
}

// Taken before any test can put fake timers in their place.
const { setTimeout } = globalThis;

/** How long a server may take to answer after its start, in milliseconds. */
const START_TIMEOUT = 20_000;

/**
 * A Redis server of a test's own, on a free port of loopback, without persistence.
 *
 * The environment names what is run, in this order: `LARDER_TEST_REDIS_URL` (a server that is there already: it is
 * handed out as it is, its data are left alone, and it cannot be stopped), `LARDER_TEST_REDIS_IMAGE` (a Docker image),
 * `LARDER_TEST_REDIS_SERVER` (an executable), else `redis-server` on PATH. `deno task test` sets them.
 *
 * ```ts ignore
 * await using server = await RedisServer.start();
 * await server.cli("SET", "greeting", "hello");
 * ```
 */
export class RedisServer implements AsyncDisposable {
  readonly #address: RespAddress;
  readonly #process: RedisProcess | undefined;
  readonly #args: string[];

  private constructor(address: RespAddress, process: RedisProcess | undefined, args: string[]) {
    this.#address = address;
    this.#process = process;
    this.#args = args;
  }

  /**
   * Whether servers can be started with arguments, stopped, paused and restarted; tests that need it are declared with
   * `ignore: !RedisServer.controllable`.
   */
  static get controllable(): boolean {
    return !Deno.env.get("LARDER_TEST_REDIS_URL");
  }

  /**
   * Starts a server and waits until it answers.
   *
   * @throws {Error} If it does not start, or if the server at hand cannot have these options.
   */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const { args = [], config = {} } = options;
    const rights = Deno.env.get("LARDER_TEST_REDIS_RIGHTS") ?? options.rights;
    const login = options.login ?? loginOf(args, rights);
    const all = ["--save", "", "--appendonly", "no", ...restricted(login, rights), ...args];
    for (const [name, value] of Object.entries(config)) all.push(`--${name}`, String(value));
    const url = Deno.env.get("LARDER_TEST_REDIS_URL");
    if (url) {
      if (args.length > 0 || Object.keys(config).length > 0) {
        throw new Error("Cannot start a Redis server with options of its own: the tests were given one by URL");
      }
      return new RedisServer(parseRedisUrl(url), undefined, []);
    }
    const image = Deno.env.get("LARDER_TEST_REDIS_IMAGE");
    const executable = Deno.env.get("LARDER_TEST_REDIS_SERVER") ?? "redis-server";
    for (let attempt = 1;; attempt++) {
      const process = image ? new DockerProcess(image) : new LocalProcess(executable);
      const password = passwordOf(all);
      const address = {
        hostname: "127.0.0.1",
        port: freePort(),
        ...(password !== undefined && { password }),
        ...login,
      };
      const server = new RedisServer(address, process, all);
      try {
        await server.#launch();
        return server;
      } catch (error) {
        await process.remove();
        // Another process may have taken the port between choosing and using it.
        if (attempt === 3 || !/in use|already allocated/i.test(String(error))) throw error;
      }
    }
  }

  /** The host name or address. */
  get hostname(): string {
    return this.#address.hostname;
  }

  /** The TCP port; it stays the same over a restart. */
  get port(): number {
    return this.#address.port;
  }

  /** The URL, with the password if there is one. */
  get url(): string {
    const { hostname, port, username = "", password, db, tls } = this.#address;
    const login = password === undefined || username === ADMIN.username
      ? ""
      : `${encodeURIComponent(username)}:${encodeURIComponent(password)}@`;
    return `${tls ? "rediss" : "redis"}://${login}${hostname}:${port}${db ? `/${db}` : ""}`;
  }

  /** The process id, if the server is a process of this machine that runs now. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /**
   * Sends one command over a connection of its own.
   *
   * @throws {RespError} If Redis answers with an error reply.
   */
  async cli(...command: (string | number)[]): Promise<RespReply> {
    const [reply] = await exchange(this.#address, [command.map(String)]);
    if (reply instanceof RespError) throw reply;
    return reply!;
  }

  /** Stops the server's process without ending it: it keeps its connections and answers nothing. */
  async pause(): Promise<void> {
    await this.#controlled("pause").pause();
  }

  /** Lets a paused server run on. */
  async resume(): Promise<void> {
    await this.#controlled("resume").resume();
  }

  /** Kills the server at once. Its data are lost, unless it was started with persistence. */
  async kill(): Promise<void> {
    await this.#controlled("kill").kill();
  }

  /**
   * Stops the server, if it still runs, and starts it again on the same port. Its data are kept, or with `flush` not.
   * Scripts, connections and subscriptions are gone either way.
   */
  async restart(options: { flush?: boolean } = {}): Promise<void> {
    const process = this.#controlled("restart");
    if (options.flush) {
      await process.kill();
      await process.wipe();
    } else if (!await process.ended()) {
      await process.resume();
      await exchange(this.#address, [["SHUTDOWN", "SAVE"]]).catch(() => {}); // the answer is the end of the connection
      await process.wait();
    }
    await this.#launch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const refused = this.#address.username === ADMIN.username ? await this.#refused() : [];
    await this.#process?.remove();
    if (refused.length > 0) throw new Error(`The ACL refused what was tried: ${refused.join(", ")}`);
  }

  /** What the default user was refused. */
  async #refused(): Promise<string[]> {
    const entries = await this.cli("ACL", "LOG", 100).catch(() => []) as RespReply[][];
    const told = entries.map((entry) => Object.fromEntries(pairs(entry)))
      .filter(({ username }) => username === "default").map(({ reason, object }) => `${reason} ${object}`);
    return [...new Set(told)];
  }

  #controlled(action: string): RedisProcess {
    if (!this.#process) throw new Error(`Cannot ${action} the Redis server: the tests were given it by URL`);
    return this.#process;
  }

  async #launch(): Promise<void> {
    const process = this.#controlled("start");
    await process.start(this.port, this.#args);
    const deadline = performance.now() + START_TIMEOUT;
    for (;;) {
      const [reply] = await exchange(this.#address, [["PING"]]).catch((error) => [error as Error]);
      if (reply === "PONG") return;
      const ended = await process.ended();
      if (ended || performance.now() > deadline) {
        const log = (await process.log()).trim().split("\n").slice(-5).join("\n");
        const what = ended ? "it ended" : `no answer to PING in ${START_TIMEOUT} ms (${reply})`;
        throw new Error(`Cannot start the Redis server on port ${this.port}: ${what}\n${log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Who `cli()` is where the default user has no more rights than it needs. */
const ADMIN = { username: "admin", password: "administrator" };

/** Servers that have no users of their own restrict the default user to the rights that are given. */
function loginOf(args: string[], rights: string | undefined): typeof ADMIN | undefined {
  return rights && !args.some((arg) => /^--(requirepass|aclfile|user)$/.test(arg)) ? ADMIN : undefined;
}

function restricted(login: { username: string } | undefined, rights: string = ""): string[] {
  if (login !== ADMIN) return [];
  const { username, password } = ADMIN;
  return [
    "--user",
    "default",
    "on",
    "nopass",
    ...rights.split(" "),
    "--user",
    username,
    "on",
    `>${password}`,
    "~*",
    "&*",
    "+@all",
  ];
}

function pairs(flat: RespReply[]): [string, RespReply][] {
  return flat.flatMap((name, i) => i % 2 === 0 ? [[String(name), flat[i + 1]!] as [string, RespReply]] : []);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function passwordOf(args: string[]): string | undefined {
  const at = args.lastIndexOf("--requirepass");
  return at < 0 ? undefined : args[at + 1];
}
