import type { CacheStats } from "../cache/stats.ts";
import type { LockStats } from "../locks/stats.ts";
import type { PubSubStats } from "../pubsub/stats.ts";
import type { StreamStats } from "../streams/stats.ts";
import type { RateLimitStats } from "../rate_limit/stats.ts";
import type { SessionStats } from "../sessions/stats.ts";
import { UnavailableError } from "../errors.ts";
import type { ServerRole } from "../observe/events.ts";
import type { Probes } from "./probes.ts";
import type { Batch } from "../redis/batch.ts";
import { connectionText } from "../redis/connection_text.ts";
import { checkNodes, type NodeHealth } from "./node_health.ts";
import { parseRedisInfo, type RedisFigures } from "../redis/info.ts";

/**
 * How things stand: `ok`; `degraded`, when something does not work and Larder gets along without it; `down`, when it
 * was closed or Redis has never answered since the start.
 */
export type HealthStatus = "ok" | "degraded" | "down";

/** How one Redis server stands. */
export interface RedisHealth extends RedisFigures {
  /** What it is used for; one server may be all of it. */
  readonly role: ServerRole;
  /** Its host and port, as far as the client tells them. */
  readonly address?: string;
  /** The client through which it is reached. */
  readonly client: string;
  /** Whether it answered just now. */
  readonly answers: boolean;
  /** Whether a connection is up. */
  readonly connected: boolean;
  /** The state of the circuit breaker. */
  readonly circuit: "closed" | "half-open" | "open";
  /** How long a round trip took, in milliseconds; absent when it did not answer. */
  readonly latency?: number;
  /**
   * Milliseconds of a round trip of late, by which limits without a `timeout` set their deadline; absent before the
   * first reply.
   */
  readonly roundTrip?: number;
  /** Why it does not answer, as the connection gave it; or what it refuses, as it says itself. */
  readonly error?: string;
  /** On a cluster, how each of its nodes stands that owns a part of the keys. */
  readonly nodes?: readonly NodeHealth[];
}

/** How this process stands. */
export interface ProcessHealth {
  /** Resident memory in bytes. */
  readonly rss: number;
  /** JavaScript heap in use, in bytes. */
  readonly heapUsed: number;
  /** JavaScript heap in all, in bytes. */
  readonly heapTotal: number;
  /** Seconds since the process started. */
  readonly uptime: number;
}

/** After how many milliseconds calls are given up now, from when they are written. */
export interface DeadlineHealth {
  /** Commands: the option `commandTimeout`. */
  readonly commands: number;
  /** Rate limits: the option `rateLimit.timeout`, or what follows from how far away the server is. */
  readonly limits: number;
}

/** How everything stands. Plain data, without secrets. */
export interface Health {
  /** The whole in a word. */
  readonly status: HealthStatus;
  /** Why it is not `ok`, and what will become a problem; for people. */
  readonly warnings: readonly string[];
  /** Whether it was closed. */
  readonly closed: boolean;
  /** Where data live. */
  readonly store: "redis" | "memory";
  /** The servers; none with the embedded store. */
  readonly redis: readonly RedisHealth[];
  /** When calls are given up; absent with the embedded store. */
  readonly deadlines?: DeadlineHealth;
  /** What the cache has done in this process. */
  readonly cache: CacheStats;
  /** What was done with sessions in this process. */
  readonly sessions: SessionStats;
  /** What was decided about rate limits in this process. */
  readonly rateLimit: RateLimitStats;
  /** What was done with locks in this process. */
  readonly locks: LockStats;
  /** What was done with channels in this process. */
  readonly pubsub: PubSubStats;
  /** What was done with streams in this process. */
  readonly streams: StreamStats;
  /** This process. */
  readonly process: ProcessHealth;
}

/** From what share of `maxmemory` on there is a warning. */
const FULL = 0.8;

/** A server and what it is used for. */
export interface CheckedServer {
  readonly role: ServerRole;
  readonly batch: Batch;
  readonly probes: Probes;
}

/** Asks every server how it is, each within the deadline of its commands. */
export async function checkHealth(
  servers: readonly CheckedServer[],
  services: Pick<Health, "cache" | "sessions" | "rateLimit" | "locks" | "pubsub" | "streams">,
  closed: boolean,
  signal?: AbortSignal,
): Promise<Health> {
  const { cache } = services;
  const redis = await Promise.all(servers.map((server) => checkServer(server, signal)));
  signal?.throwIfAborted();
  const warnings = redis.flatMap((health) => warningsOf(health));
  const lost = redis.some(({ answers, writable, error }) => !answers || writable === false || error !== undefined);
  const unfit = servers.flatMap(({ probes: { fleet } }) => fleet.problem ?? []);
  warnings.push(...new Set(unfit));
  if (cache.queued > 0) warnings.push(`invalidations that wait until Redis is back: ${cache.queued}`);
  const never = servers.some(({ batch }, i) => !redis[i]!.answers && !batch.answered);
  const degraded = lost || unfit.length > 0 || cache.queued > 0;
  return {
    status: closed || never ? "down" : degraded ? "degraded" : "ok",
    warnings: closed ? ["Larder was closed"] : warnings,
    closed,
    store: servers.length > 0 ? "redis" : "memory",
    redis,
    ...services,
    process: processHealth(),
  };
}

async function checkServer(server: CheckedServer, signal: AbortSignal | undefined): Promise<RedisHealth> {
  const [whole, nodes] = await Promise.all([checkWhole(server, signal), checkNodes(server.batch, signal)]);
  return nodes.length === 0 ? whole : { ...whole, nodes };
}

async function checkWhole(server: CheckedServer, signal: AbortSignal | undefined): Promise<RedisHealth> {
  const { role, batch, probes } = server;
  const { client } = batch;
  const began = performance.now();
  const [ping, probed] = await Promise.allSettled([
    batch.send("PING", [], { operation: "check health", signal }).then(() => performance.now() - began),
    probes.run(signal),
  ]);
  const { roundTrip } = batch;
  const { address } = client;
  const known = {
    role,
    client: client.name,
    ...(address !== undefined && { address }),
    circuit: batch.circuit,
    connected: client.connected,
    ...(roundTrip !== undefined && { roundTrip: Math.round(roundTrip * 1000) / 1000 }),
  };
  if (ping.status === "rejected") {
    // A server that is loading its data or asks for a login answers, but is of no use.
    return { ...known, answers: false, error: connectionText(batch.diagnosis.problem ?? ping.reason) };
  }
  // A user who may not ask for figures still finds out whether it answers. What was done above may have taken memory
  // for scripts.
  const isNamed = (command: string) =>
    batch.diagnosis.refusals.some(({ lacked }) => lacked?.split(", ").includes(command));
  const [info, lacking] = await Promise.all([
    batch.send("INFO", [], { operation: "check health", signal, text: true }).catch(() => {}),
    probes.rights.problem(signal, isNamed),
  ]);
  const figures = typeof info === "string" ? parseRedisInfo(info) : {};
  const refused = refusalsOf(batch, probed.status === "fulfilled" ? probed.value : []);
  const error = [refused, lacking].filter((text) => text !== "").join("; ");
  return {
    ...known,
    answers: true,
    latency: Math.round(ping.value * 1000) / 1000,
    ...figures,
    ...(error !== "" && { error }),
  };
}

/** What a server refuses now or has refused a moment ago, each code once. */
function refusalsOf({ diagnosis }: Batch, failed: readonly unknown[]): string {
  const texts = diagnosis.refusals.map(({ operation, error }) => `cannot ${operation}: ${connectionText(error)}`);
  for (const error of failed) {
    const text = error instanceof UnavailableError
      ? `cannot ${error.operation}: ${connectionText(error)}`
      : connectionText(error);
    if (!texts.some((told) => told.includes(connectionText(error)))) texts.push(text);
  }
  return texts.join("; ");
}

function warningsOf({ role, answers, error, memory, writable, nodes = [] }: RedisHealth): string[] {
  const name = role === "cache" ? "The Redis of the cache" : "Redis";
  const missing = nodes.filter((node) => !node.answers);
  if (missing.length > 0) return missing.map((node) => absence(`${name} at ${node.address}`, node.error));
  if (!answers) return [absence(name, error)];
  // That a replica says so once more adds nothing.
  const known = writable === false && error?.includes("READONLY");
  const warnings = error === undefined || known ? [] : [`${name} refuses what is needed: ${error}`];
  if (memory?.usage !== undefined && memory.usage >= FULL) {
    warnings.push(`${name} uses ${Math.round(memory.usage * 100)} % of maxmemory (${memory.policy})`);
  }
  if (writable === false) warnings.push(`${name} takes no writes`);
  if (memory === undefined) {
    warnings.push(`${name} tells no figures (INFO), so nobody is warned when its memory is full`);
  }
  return warnings;
}

/** Begins what a server itself has said. */
const REPLY =
  /^(?:LOADING|NOAUTH|WRONGPASS|NOPERM|MISCONF|BUSY|DENIED|MASTERDOWN|CLUSTERDOWN|READONLY|MOVED|OOM|NOPROTO|ERR)\b/;

/** Who says no to everything, as one that asks for a login or cannot save does, has answered. */
function absence(name: string, error: string | undefined): string {
  return error !== undefined && REPLY.test(error)
    ? `${name} answers with an error: ${error}`
    : `${name} does not answer (${error})`;
}

function processHealth(): ProcessHealth {
  const { memoryUsage, uptime } = (globalThis as { process?: NodeProcess }).process ?? {};
  const memory = memoryUsage?.() ?? { rss: 0, heapUsed: 0, heapTotal: 0 };
  const { rss, heapUsed, heapTotal } = memory;
  return { rss, heapUsed, heapTotal, uptime: Math.round(uptime?.() ?? performance.now() / 1000) };
}

interface NodeProcess {
  memoryUsage(): { rss: number; heapUsed: number; heapTotal: number };
  uptime(): number;
}
