import { RedisServer } from "./redis_server.ts";
import { exchange } from "./resp.ts";
import { until } from "./until.ts";

const QUORUM = 2;
const DOWN_AFTER = 1000;

/** A primary, its replica, and three Sentinels that watch over them, on loopback. */
export class Sentinels implements AsyncDisposable {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** The ports of the Sentinels. */
  readonly ports: readonly number[];
  readonly #processes: readonly Deno.ChildProcess[];
  readonly #folder: string;
  readonly #paused = new Set<number>();

  private constructor(
    [primary, replica]: readonly [RedisServer, RedisServer],
    ports: readonly number[],
    processes: readonly Deno.ChildProcess[],
    folder: string,
  ) {
    this.primary = primary;
    this.replica = replica;
    this.ports = ports;
    this.#processes = processes;
    this.#folder = folder;
  }

  /** Whether Sentinels can be started: they have to reach the servers under the addresses that clients use. */
  static get possible(): boolean {
    return RedisServer.controllable && !Deno.env.get("LARDER_TEST_REDIS_IMAGE");
  }

  /** Starts all, and waits until the Sentinels know of each other. */
  static async start(): Promise<Sentinels> {
    const primary = await RedisServer.start();
    const replica = await RedisServer.start({ args: ["--replicaof", "127.0.0.1", String(primary.port)] });
    const folder = await Deno.makeTempDir({ prefix: "larder-sentinels-" });
    const ports = [freePort(), freePort(), freePort()];
    const processes = await Promise.all(ports.map((port) => launch(folder, port, primary.port, QUORUM, DOWN_AFTER)));
    const sentinels = new Sentinels([primary, replica], ports, processes, folder);
    await until(async () => {
      const known = await sentinels.#each("SENTINEL", "MASTER", "main");
      return known.every((fields) => {
        const list = (Array.isArray(fields) ? fields : []).map(String);
        const of = (name: string) => list[list.indexOf(name) + 1];
        return of("num-other-sentinels") === "2" && of("num-slaves") === "1";
      });
    }, "the Sentinels know each other");
    return sentinels;
  }

  /** Waits until the replica has become the primary, and two Sentinels say so. */
  async failedOver(): Promise<void> {
    await until(async () => {
      const told = await this.#each("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main");
      const ports = told.map((address) => Number((address as string[] | undefined)?.[1]));
      return ports.filter((port) => port === this.replica.port).length >= QUORUM &&
        String(await this.replica.cli("ROLE")).startsWith("master");
    }, "the replica has taken over");
  }

  /** Stops a Sentinel without ending it: it keeps its connections and answers nothing. */
  pauseSentinel(i: number): void {
    this.#processes[i]!.kill("SIGSTOP");
    this.#paused.add(this.ports[i]!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) {
      child.kill("SIGKILL");
      await child.status;
    }
    await Deno.remove(this.#folder, { recursive: true });
    await Promise.all([this.primary[Symbol.asyncDispose](), this.replica[Symbol.asyncDispose]()]);
  }

  #each(...command: string[]): Promise<unknown[]> {
    return Promise.all(
      this.ports.filter((port) => !this.#paused.has(port)).map(async (port) => {
        const [reply] = await exchange({ hostname: "127.0.0.1", port }, [command]).catch(() => [undefined]);
        return reply;
      }),
    );
  }
}

/** A Sentinel by itself, which tells an address of a primary where nobody listens and takes it for up. */
export async function startSentinel(): Promise<
  { readonly port: number; readonly primary: string; stop(): Promise<void> }
> {
  const folder = await Deno.makeTempDir({ prefix: "larder-sentinel-" });
  const primary = freePort();
  const port = freePort();
  const child = await launch(folder, port, primary, 1, 600_000);
  await until(async () => {
    const asked = exchange({ hostname: "127.0.0.1", port }, [["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]]);
    return Array.isArray((await asked.catch(() => []))[0]);
  }, "the Sentinel answers");
  return {
    port,
    primary: `127.0.0.1:${primary}`,
    async stop() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function launch(
  folder: string,
  port: number,
  primary: number,
  quorum: number,
  downAfter: number,
): Promise<Deno.ChildProcess> {
  const path = `${folder}/${port}.conf`;
  await Deno.writeTextFile(
    path,
    [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${folder}`,
      `sentinel monitor main 127.0.0.1 ${primary} ${quorum}`,
      `sentinel down-after-milliseconds main ${downAfter}`,
      "sentinel failover-timeout main 6000",
    ].join("\n"),
  );
  return new Deno.Command(Deno.env.get("LARDER_TEST_REDIS_SERVER") ?? "redis-server", {
    args: [path, "--sentinel"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
