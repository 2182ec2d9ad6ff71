import { type ClosedBy, type RedisError, UnavailableError } from "../errors.ts";
import { lackedCommand } from "../errors/lacked_command.ts";
import type { EventListener, ServerEvent, ServerRole } from "../observe/events.ts";
import type { ConnectionChange, RedisClient } from "./client.ts";
import { isPassing, isRefusal } from "./refusals.ts";

/** What a diagnosis is told by and tells. */
export interface DiagnosisOptions {
  /** What the server is used for. @default {"all"} */
  readonly server?: ServerRole | undefined;
  /** Told about the server. */
  readonly on?: EventListener | undefined;
  /** Milliseconds from which on a write is slow. @default {Infinity} */
  readonly slowerThan?: number | undefined;
}

/** For how long a refusal with the same code is not told again, in milliseconds. */
const TOLD_FOR = 60_000;
/** Codes, and operations, that are remembered. */
const MAX = 50;

/** What the server refused. */
export interface Refused {
  /** What was attempted. */
  readonly operation: string;
  /** Its reply. */
  readonly error: RedisError;
  /** When, by `performance.now()`. */
  readonly at: number;
  /** The command that the user may not run or the server does not have, if it is that; empty where nobody knows. */
  readonly lacked: string | undefined;
}

/** Knows why a server cannot be used at present, and tells what happens to it. */
export class Diagnosis {
  readonly #client: RedisClient;
  readonly #nodes: () => readonly Diagnosis[];
  readonly #server: ServerRole;
  readonly #on: EventListener | undefined;
  readonly #slowerThan: number;
  /** When each code was refused last. */
  readonly #codes = new Map<string, number>();
  /** What does not work, by operation, and by the command that is missing if one is. */
  readonly #refused = new Map<string, Refused>();
  #lackedAt = -Infinity;
  #problem: unknown;
  /** What closed the client, once it is. */
  closedBy: ClosedBy | undefined;

  /** `nodes` are those of the nodes of a cluster. */
  constructor(client: RedisClient, options: DiagnosisOptions, nodes: () => readonly Diagnosis[] = () => []) {
    this.#client = client;
    this.#nodes = nodes;
    this.#server = options.server ?? "all";
    this.#on = options.on;
    this.#slowerThan = options.slowerThan ?? Infinity;
  }

  /** Why the server did not answer last, as the connection gave it; `undefined` while it answers. */
  get problem(): unknown {
    return this.#problem ?? this.#nodes().map(({ problem }) => problem).find((problem) => problem !== undefined);
  }

  /** The error for whoever asked, with what is known of its cause. */
  unavailable(operation: string, reason: UnavailableError["reason"], cause: unknown = this.problem): UnavailableError {
    if (reason === "closed") return new UnavailableError(operation, reason, { closedBy: this.closedBy });
    return new UnavailableError(operation, reason, cause === undefined ? undefined : { cause });
  }

  /** The connection changed. */
  changed(change: ConnectionChange): void {
    const { name } = this.#client;
    if (change.state === "connected") {
      this.#problem = undefined;
      this.#on?.({ type: "redis.connected", client: name, ...this.#where });
      return;
    }
    const { error, reason } = change;
    this.#problem = error ?? reason ?? this.#problem;
    this.#on?.({
      type: "redis.disconnected",
      client: name,
      ...this.#where,
      error,
      ...(reason !== undefined && { reason }),
    });
  }

  /** The circuit breaker changed its state. */
  circuit(state: "open" | "half-open" | "closed"): void {
    this.#on?.({ type: "redis.circuit", state, ...this.#where });
  }

  /** A write failed, or was not answered in time. */
  failed(cause: unknown): void {
    if (cause !== undefined) this.#problem ??= cause;
  }

  /** A write was answered, so many milliseconds later. */
  answered(calls: readonly { readonly operation: string }[], milliseconds: number): void {
    this.#problem = undefined;
    if (milliseconds <= this.#slowerThan) return;
    const { operation } = calls[0]!;
    this.#on?.({ type: "redis.slow", operation, commands: calls.length, milliseconds, ...this.#where });
  }

  /** A command of Larder's own was answered with an error. */
  refused(operation: string, error: RedisError): void {
    // What a key that somebody else has filled says of the server, probes find out; but somebody has to know.
    const foreign = error.code === "WRONGTYPE";
    if (!foreign && !isRefusal(error)) return;
    const now = performance.now();
    if (!foreign) {
      const lacked = lackedCommand(error.message);
      if (lacked !== undefined) this.#lackedAt = now;
      put(this.#refused, lacked === undefined ? operation : `${operation}: ${lacked}`, {
        operation,
        error,
        at: now,
        lacked,
      });
    }
    const told = this.#codes.get(error.code);
    put(this.#codes, error.code, now); // as long as it goes on, it is not told again
    if (told !== undefined && now - told < TOLD_FOR) return;
    this.#on?.({ type: "redis.refused", operation, code: error.code, error, ...this.#where });
  }

  /** Something that somebody has to know of how the server is used. */
  warn(message: string): void {
    this.#on?.({ type: "warning", message });
  }

  /**
   * An operation was answered as it should, by a command if it was one. That a script works says nothing of the
   * commands that another of the same operation runs, or the same one at another time; a command that is not refused is
   * not refused to others either.
   */
  worked(operation: string, command?: string): void {
    if (this.#refused.size === 0) return;
    for (const [key, { operation: refused, lacked }] of this.#refused) {
      const over = lacked === undefined || command === undefined ? refused === operation : lacked === command;
      if (over) this.#refused.delete(key);
    }
  }

  /** When a command was refused last that the user may not run, or the server does not have. */
  get lackedAt(): number {
    return Math.max(this.#lackedAt, ...this.#nodes().map(({ lackedAt }) => lackedAt));
  }

  /** What lacked until then is allowed now, as far as `isAllowed` says so; of the empty name, all that nobody knows. */
  allowed(until: number, isAllowed: (command: string) => boolean): void {
    for (const node of this.#nodes()) node.allowed(until, isAllowed);
    for (const [key, { lacked, at }] of this.#refused) {
      if (lacked !== undefined && at <= until && isAllowed(lacked)) this.#refused.delete(key);
    }
  }

  /** What the services do works: the state of the server is no reason any more to refuse anything. */
  recovered(): void {
    for (const node of this.#nodes()) node.recovered();
    for (const [operation, { error }] of this.#refused) if (isPassing(error)) this.#refused.delete(operation);
  }

  /** What was refused within the last minute, and has not worked since; each code once, and each command. */
  get refusals(): Refused[] {
    const since = performance.now() - TOLD_FOR;
    const all = [...this.#refused.values(), ...this.#nodes().flatMap(({ refusals }) => refusals)];
    const recent = all.filter(({ at }) => at >= since);
    const kinds = recent.map(({ error: { code }, lacked = "" }) => `${code} ${lacked}`);
    return recent.filter((_, i) => kinds.indexOf(kinds[i]!) === i);
  }

  get #where(): ServerEvent {
    const { address } = this.#client;
    return { server: this.#server, ...(address !== undefined && { address }) };
  }
}

/** Sets a value as the newest, and forgets the oldest of too many. */
function put<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX) map.delete(map.keys().next().value!);
}
