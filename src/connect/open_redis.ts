import type { Config } from "./config.ts";
import { connectionReport } from "./connection_report.ts";
import type { EventListener, ServerRole } from "../observe/events.ts";
import { RedisMeter } from "../observe/redis_meter.ts";
import { WireClient } from "../redis/wire/client.ts";
import { Batch } from "../redis/batch.ts";
import type { RedisServerConfig } from "./servers.ts";
import { findTelemetry } from "../observe/telemetry.ts";

/** From when on an answer is slow, in milliseconds. */
const SLOWER_THAN = 100;
/** How often the connection of a cache with copies in this process is asked: those must not be behind for long. */
const HEARTBEAT_WITH_COPIES = 1000;

/**
 * Opens a server, or takes a client that is open.
 *
 * @param server Where it is.
 * @param role What it is used for.
 * @param config How it is used.
 * @param on Told what happens; without it, the console is.
 * @throws {ConfigError} If the server refuses the credentials, or the client cannot be loaded.
 */
export async function openRedis(
  server: RedisServerConfig | Extract<Config["server"], { kind: "client" }>,
  role: ServerRole,
  config: Config,
  on: EventListener | undefined,
): Promise<Batch> {
  const traced = findTelemetry()?.server(server.kind === "client" ? undefined : server);
  const options = {
    server: role,
    commandTimeout: config.commandTimeoutMs,
    slowerThan: config.slowerThanMs ?? SLOWER_THAN,
    on: on ?? connectionReport(),
    meter: new RedisMeter(),
    ...traced,
  };
  if (server.kind === "client") return new Batch(server.client, options);
  const { hostname, port, path, username, password, db, tls } = server;
  const copies = role !== "state" && config.cache.local;
  const client = new WireClient({
    hostname,
    port,
    path,
    username,
    password: password?.reveal(),
    db,
    tls,
  }, {
    connectTimeout: config.connectTimeoutMs,
    heartbeat: config.heartbeatMs ?? (copies ? HEARTBEAT_WITH_COPIES : undefined),
    clientName: config.namespace,
  });
  const batch = new Batch(client, options);
  try {
    await client.start();
  } catch (error) {
    await batch.close();
    throw error;
  }
  return batch;
}
