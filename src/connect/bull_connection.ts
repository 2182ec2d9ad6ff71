import { isIP } from "node:net";
import { rootCertificates } from "node:tls";
import { describe } from "../util/describe.ts";
import { serverOf } from "./server_of.ts";

/** How `npm:bullmq` (and `npm:ioredis`) connects to a server. */
export interface BullConnection {
  /** The host name or the address; absent with `path`. */
  readonly host?: string;
  /** The port; absent with `path`. */
  readonly port?: number;
  /** The socket of a server on the same machine. */
  readonly path?: string;
  /** The ACL user. */
  readonly username?: string;
  /** The password. Neither logged nor written as JSON. */
  readonly password?: string;
  /** The number of the database. */
  readonly db: number;
  /** How to check the server, and what to show to it. Neither logged nor written as JSON. */
  readonly tls?: BullTlsOptions;
  /** BullMQ wants it so: its workers wait on the connection. */
  readonly maxRetriesPerRequest: null;
}

/** TLS as `node:tls` takes it. */
export interface BullTlsOptions {
  /** The name that the certificate has to be for; absent with an address. */
  readonly servername?: string;
  /** The authorities to trust beside those of the system; in Node.js with those. Absent if there are none. */
  readonly ca?: string[];
  /** The certificate to show. */
  readonly cert?: string;
  /** Its private key. */
  readonly key?: string;
}

/**
 * The options with which a queue of `npm:bullmq` opens connections of its own to the server of Larder, with the same
 * credentials and the same TLS: those of the URL, of options and of the environment, as `connect()` found them. With a
 * `cacheUrl`, it is the other server, which keeps what is written to it.
 *
 * A queue has to have its own connections, since its workers wait on them for jobs. It also has to have a server that
 * evicts nothing (`maxmemory-policy noeviction`, or `volatile-…`, as jobs never expire), and a user who may run what it
 * sends.
 *
 * @param redis What `connect()` gave.
 * @returns The options; whoever prints them, or writes them as JSON, sees no secret.
 * @throws {TypeError} If it is on the embedded store, or on a client that you opened.
 *
 * @example A queue and its worker
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { bullConnection } from "@larder/larder/redis";
 * import { Queue, Worker } from "npm:bullmq";
 * import { Redis } from "npm:ioredis";
 *
 * await using redis = await connect({ url: "rediss://app:secret@redis:6379" });
 * // Node.js, with ioredis in node_modules, takes the options themselves.
 * const [one, two] = [1, 2].map(() => new Redis(bullConnection(redis)));
 * const queue = new Queue("reports", { connection: one });
 * const worker = new Worker("reports", (job) => redis.cache.set(`report:${job.id}`, job.data), { connection: two });
 * ```
 */
export function bullConnection(redis: { readonly store: "redis" | "memory" }): BullConnection {
  const server = serverOf(redis);
  const refuse = (wanted: string, got: string) =>
    new TypeError(`Cannot give a queue its connection: wanted ${wanted}, got ${got}`);
  if (!server) throw refuse("what connect() gave", describe(redis));
  if (server.kind === "memory") throw refuse("a Redis, as in connect({ url })", "the embedded store");
  if (server.kind === "client") {
    const what = server.client.cluster ? "a client of a cluster" : "a client that you opened";
    throw refuse('a Redis by "url"', `${what} (${server.client.name}): give the queue what that was opened with`);
  }
  const { hostname, port, path, username, password, db, tls } = server;
  return hideSecrets({
    ...(path === undefined ? { host: hostname, port } : { path }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: password.reveal() }),
    db,
    ...(tls && { tls: hideSecrets(tlsOf(tls, hostname)) }),
    maxRetriesPerRequest: null,
  });
}

/** In Node.js, authorities that are given take the place of the known ones; in Deno they come beside them. */
function tlsOf(
  { caCerts, cert, key }: { readonly caCerts: readonly string[]; readonly cert?: string; readonly key?: string },
  hostname: string,
): BullTlsOptions {
  return {
    // An address is no name that could be asked for.
    ...(isIP(hostname) === 0 && { servername: hostname }),
    ...(caCerts.length > 0 && { ca: "Deno" in globalThis ? [...caCerts] : [...rootCertificates, ...caCerts] }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
  };
}

/** The object as it is, which is printed without its secrets. Copies of it are not. */
function hideSecrets<T extends object>(options: T): T {
  const shown = () => {
    const { password, key, ...rest } = options as { password?: string; key?: string };
    return { ...rest, ...(password !== undefined && { password: "[secret]" }), ...(key && { key: "[secret]" }) };
  };
  Object.defineProperty(options, "toJSON", { value: shown });
  Object.defineProperty(options, Symbol.for("nodejs.util.inspect.custom"), {
    value: (_depth: number, options: object, inspect: (value: unknown, options: object) => string) =>
      inspect(shown(), options),
  });
  Object.defineProperty(options, Symbol.for("Deno.customInspect"), {
    value: (inspect: (value: unknown, options: object) => string, options: object) => inspect(shown(), options),
  });
  return options;
}
