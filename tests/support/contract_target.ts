import { hashSlot } from "../../src/redis/cluster/hash_slot.ts";
import type { RedisClient } from "../../src/redis/client.ts";
import { WireClient } from "../../src/redis/wire/client.ts";
import { type Kind, KINDS, type OpenedKind } from "./client_kinds.ts";
import { RedisCluster } from "./redis_cluster.ts";
import { APP_RIGHTS } from "./app_rights.ts";
import { RedisServer, type RedisServerOptions } from "./redis_server.ts";
import type { RespReply } from "./resp.ts";
import { until } from "./until.ts";

/** The store in the process, where a client is named. */
export const EMBEDDED = "embedded";

/** Which client the contract suites run on, as `deno task matrix` says; without, on the one by URL and the store. */
const NAME: string | undefined = Deno.env.get("TEST_CLIENT") || undefined;

/** Whether caches of the contract suites keep copies in the process. */
export const WITH_LOCAL: boolean = Deno.env.get("TEST_LOCAL") === "1";
/** Whether the contract suites run on the embedded store. */
export const ON_MEMORY: boolean = NAME === undefined || NAME === EMBEDDED;
/** Whether the contract suites run on Redis. */
export const ON_REDIS: boolean = NAME !== EMBEDDED;
/** The client that is named; with none, suites open the one by URL as they like. */
export const NAMED: Kind | undefined = kindOf(NAME);

/** Those that can subscribe; the one that is named, if one is. */
export const SUBSCRIBING: readonly Kind[] = (NAMED ? [NAMED] : ON_REDIS ? KINDS : []).filter(({ subscribes }) =>
  subscribes !== false
);

function kindOf(name: string | undefined): Kind | undefined {
  if (name === undefined || name === EMBEDDED) return undefined;
  const found = KINDS.find((kind) => kind.name === name);
  if (!found) throw new TypeError(`Cannot run contracts: wanted TEST_CLIENT to name a client, got "${name}"`);
  return found;
}

/** What a suite needs of a server or of a cluster. */
export interface ContractServer extends AsyncDisposable {
  /** Where it listens; on a cluster, one of its nodes. */
  readonly hostname: string;
  readonly port: number;
  readonly url: string;
  /** Sends one command: on a cluster to who has the keys, or to all where it names none and the replies are lists. */
  cli(...command: (string | number)[]): Promise<RespReply>;
}

/**
 * Starts what the client under test is for: a server, or a cluster of three. Larder's own has the rights of the app,
 * unless a suite says otherwise.
 */
export async function startContractServer(
  options: RedisServerOptions = { rights: APP_RIGHTS },
): Promise<ContractServer> {
  if (NAMED?.cluster) return new ClusterAsServer(await RedisCluster.start());
  return await RedisServer.start(NAMED ? {} : options);
}

/** Opens the client that is named, once it knows where everything is. */
export async function openNamed({ port }: { port: number }): Promise<OpenedKind> {
  const { name, open } = NAMED!;
  const opened = await open(port);
  await until(() => isConnected(opened.client), `${name} is connected`);
  return opened;
}

/** Opens the client under test, or one by URL that connects once it is told to. */
export async function openForContract(
  server: Pick<ContractServer, "hostname" | "port">,
): Promise<OpenedKind & { start?(): Promise<void> }> {
  if (NAMED) return await openNamed(server);
  const client = new WireClient({ hostname: server.hostname, port: server.port });
  return { client, start: () => client.start(), close: () => {} };
}

function isConnected(client: RedisClient): boolean {
  if (!client.connected) return false;
  return client.nodes === undefined || [...client.nodes.owners].every(({ connected }) => connected);
}

/** A cluster, asked as one server is. */
class ClusterAsServer implements ContractServer {
  readonly #cluster: RedisCluster;

  constructor(cluster: RedisCluster) {
    this.#cluster = cluster;
  }

  get hostname(): string {
    return this.#cluster.nodes[0]!.hostname;
  }

  get port(): number {
    return this.#cluster.nodes[0]!.port;
  }

  get url(): string {
    return this.#cluster.nodes[0]!.url;
  }

  async cli(...command: (string | number)[]): Promise<RespReply> {
    const [name, first, count] = command;
    if (name === "KEYS") return (await this.#cluster.each(...command)).flat() as RespReply[];
    if (name === "PUBLISH") return await this.#cluster.nodes[0]!.cli(...command);
    if (name !== "EVAL") return await (await this.#cluster.ownerOf(String(first))).cli(...command);
    const keys = command.slice(3, 3 + Number(count)).map(String);
    const rest = command.slice(3 + Number(count));
    for (const group of Map.groupBy(keys, hashSlot).values()) {
      await (await this.#cluster.ownerOf(group[0]!)).cli("EVAL", first!, group.length, ...group, ...rest);
    }
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster[Symbol.asyncDispose]();
  }
}
