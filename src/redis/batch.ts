import { endBy } from "../abort.ts";
import { RedisError, UnavailableError } from "../errors.ts";
import { Breaker } from "./breaker.ts";
import type { RedisMeter } from "../metrics.ts";
import type { RedisArgument, RedisClient, RedisCommand, RedisReply } from "./client.ts";
import { Alarm } from "./alarm.ts";
import { Diagnosis, type DiagnosisOptions } from "./diagnosis.ts";
import { type Due, respite } from "./lateness.ts";
import type { BatchObserver, WriteTracer } from "./observer.ts";

/** A command on its way, and what to do with its reply. */
export interface Call extends RedisCommand {
  /** What is attempted, for the message of an {@linkcode UnavailableError}. */
  readonly operation: string;
  /** Takes the reply; error replies go to `reject`. */
  resolve(reply: RedisReply): void;
  /** Takes a failure. */
  reject(error: unknown): void;
}

/** Collects work until the batch is written, so that whatever comes meanwhile shares one command. */
export interface CallSource {
  /** What is attempted, for the message of an {@linkcode UnavailableError}. */
  readonly operation: string;
  /** Whether its calls keep their place among those of {@linkcode Batch.send}; the others go last. @default {false} */
  readonly ordered?: boolean;
  /** Hands over what was collected. */
  take(): Call[];
  /** Fails what was collected. */
  fail(error: UnavailableError): void;
}

/** How a batch works. */
export interface BatchOptions extends DiagnosisOptions {
  /** Milliseconds after which a call is given up. */
  commandTimeout: number;
  /** Commands that may wait at a time. @default {100_000} */
  maxQueued?: number;
  /** Measures each call. */
  meter?: RedisMeter | undefined;
  /** Told about each call, too. */
  observer?: BatchObserver | undefined;
  /** Runs each write. */
  trace?: WriteTracer | undefined;
}

/** Options of one command. */
export interface SendOptions {
  /** What is attempted, for the message of an {@linkcode UnavailableError}. */
  operation?: string;
  /** Milliseconds after which this call is given up, when less than the batch's own. */
  timeout?: number;
  /** Ends the wait; a command already written runs all the same. */
  signal?: AbortSignal | undefined;
  /** See {@linkcode RedisCommand.text}. */
  text?: boolean;
  /** See {@linkcode RedisCommand.route}. */
  route?: string;
}

interface Waiting extends Call, Due {
  settled: boolean;
}

interface WaitingSource extends Due {
  readonly source: CallSource;
}

/** A write that is out. */
interface Write extends Due {
  readonly calls: Waiting[];
  readonly sentAt: number;
}

/**
 * Microtask turns between the first call of a tick and the write. The continuations that one batch of replies wakes run
 * at different depths; these few turns (well under a microsecond each) let them all join the next write.
 */
const TURNS = 8;

/**
 * Sends all commands of one tick as one write, one write at a time, each call with a deadline.
 *
 * Nothing is sent twice: a call whose connection failed is rejected, since it is unknown whether it ran.
 */
export class Batch {
  readonly client: RedisClient;
  readonly #timeout: number;
  /** Calls that may wait at a time. */
  readonly maxQueued: number;
  readonly #breaker: Breaker;
  /** Why the server cannot be used at present. */
  readonly diagnosis: Diagnosis;
  /** What was measured. */
  readonly meter: RedisMeter | undefined;
  readonly #observer: BatchObserver | undefined;
  readonly #trace: WriteTracer | undefined;
  #waiting: Waiting[] = [];
  #sources: WaitingSource[] = [];
  /** Ordered ones, whose place is behind all calls that wait. */
  #ordered: WaitingSource[] = [];
  #out: Write | undefined;
  #scheduled = false;
  #turns = 0;
  readonly #alarm = new Alarm({
    ring: () => this.#expire(),
    isNeeded: () => this.#anyWaits || this.#out !== undefined,
  });
  #closed = false;
  #everAnswered = false;

  constructor(client: RedisClient, options: BatchOptions) {
    this.client = client;
    this.#timeout = options.commandTimeout;
    this.maxQueued = options.maxQueued ?? 100_000;
    this.meter = options.meter;
    this.#observer = options.observer && options.meter
      ? both(options.observer, options.meter)
      : options.observer ?? options.meter;
    this.#trace = options.trace;
    const diagnosis = this.diagnosis = new Diagnosis(client, options);
    this.#breaker = new Breaker({ onChange: (state) => diagnosis.circuit(state) });
    client.onChange((change) => {
      if (change.state === "connected") {
        this.#breaker.probe();
        diagnosis.changed(change);
        this.#schedule();
      } else {
        // A reconnect that failed means that waiting is in vain; a mere loss may be mended within the deadline.
        if (change.error !== undefined) this.#giveUp(change.error);
        diagnosis.changed(change);
      }
    });
  }

  /** Milliseconds after which a call is given up. */
  get commandTimeout(): number {
    return this.#timeout;
  }

  /** The state of the circuit breaker. */
  get circuit(): "closed" | "half-open" | "open" {
    return this.#breaker.state;
  }

  /** Whether the server has ever answered. */
  get answered(): boolean {
    return this.#everAnswered;
  }

  /** Sends one command and resolves to its reply; rejects with `RedisError` or `UnavailableError`. */
  send(name: string, args: readonly RedisArgument[], options: SendOptions = {}): Promise<RedisReply> {
    const { operation = `run ${name}`, timeout, signal, text, route } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const refused = this.#refusal(operation);
      if (refused) return reject(refused);
      const call: Waiting = {
        name,
        args,
        ...(text && { text }),
        ...(route !== undefined && { route }),
        operation,
        resolve,
        reject,
        deadline: performance.now() + Math.min(timeout ?? Infinity, this.#timeout),
        respited: false,
        settled: false,
      };
      if (signal) endBy(call, signal);
      this.#seal();
      this.#waiting.push(call);
      this.#alarm.set(call.deadline);
      this.#schedule();
    });
  }

  /**
   * Asks for `source.take()` when the next write goes out. Call it once for what is collected until then.
   *
   * @param source What collects.
   * @param deadline When it is given up, by `performance.now()`, if that is before the batch's own timeout.
   */
  join(source: CallSource, deadline: number = performance.now() + this.#timeout): void {
    const refused = this.#refusal(source.operation);
    if (refused) return source.fail(refused);
    (source.ordered ? this.#ordered : this.#sources).push({ source, deadline, respited: false });
    this.#alarm.set(deadline);
    this.#schedule();
  }

  /** Fails all that waits, and closes the client. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#out) this.#failed(this.#out, undefined);
    this.#alarm.stop();
    this.#failWaiting("closed");
    await this.client.close();
  }

  #refusal(operation: string): UnavailableError | undefined {
    const reason = this.#closed
      ? "closed"
      : !this.#allows()
      ? "circuit-open"
      : this.#waiting.length >= this.maxQueued
      ? "overload"
      : undefined;
    if (reason === undefined) return undefined;
    this.#observer?.failed(reason);
    return this.diagnosis.unavailable(operation, reason);
  }

  /** Whether an attempt makes sense: one after failures only on a connection, and only one at a time. */
  #allows(): boolean {
    if (this.#breaker.state === "closed") return true;
    return this.client.connected && this.#breaker.allows() && !this.#out;
  }

  #schedule(): void {
    if (this.#scheduled || this.#out) return;
    this.#scheduled = true;
    this.#turns = TURNS;
    queueMicrotask(this.#turn);
  }

  readonly #turn = (): void => {
    if (--this.#turns > 0) return queueMicrotask(this.#turn);
    this.#scheduled = false;
    this.#flush();
  };

  /** Takes what was collected in order: what comes from now on comes after it. */
  #seal(): void {
    takeAll(this.#ordered, this.#waiting);
    this.#ordered = [];
  }

  #flush(): void {
    // Without a connection, calls wait for one until their deadline.
    if (this.#out || this.#closed || !this.client.connected) return;
    this.#seal();
    const calls = this.#waiting.filter((call) => !call.settled);
    this.#waiting = [];
    // Reads that were collected go last: they see what was written in the same tick.
    takeAll(this.#sources, calls);
    this.#sources = [];
    if (calls.length === 0) return;
    const sentAt = performance.now();
    const write: Write = this.#out = { calls, sentAt, deadline: sentAt + this.#timeout, respited: false };
    this.#write(calls).then(
      (replies) => this.#answered(write, replies),
      (error) => this.#failed(write, error),
    );
  }

  async #write(calls: Waiting[]): Promise<(RedisReply | UnavailableError)[]> {
    const send = () => this.client.pipeline(calls);
    const replies = await (this.#trace ? this.#trace(calls, send) : send());
    if (replies.length === calls.length) return replies;
    const error = new Error(`Cannot tell replies apart: wanted ${calls.length}, got ${replies.length}`);
    this.client.reset(error);
    throw error;
  }

  #answered(write: Write, replies: (RedisReply | UnavailableError)[]): void {
    const { calls, sentAt } = write;
    if (this.#out === write) this.#out = undefined;
    this.#breaker.succeed();
    this.#everAnswered = true;
    let demoted: RedisError | undefined;
    const observer = this.#observer;
    const milliseconds = performance.now() - sentAt;
    this.diagnosis.answered(calls, milliseconds);
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i]!;
      if (call.settled) continue;
      call.settled = true;
      const reply = replies[i];
      if (reply instanceof UnavailableError) observer?.failed(reply.reason);
      else if (reply instanceof RedisError) reply.code === "NOSCRIPT" || observer?.failed(reply.code); // that is sent again
      else observer?.answered(call.operation, milliseconds);
      if (reply instanceof UnavailableError) {
        call.reject(new UnavailableError(call.operation, reply.reason, { cause: reply.cause ?? reply }));
      } else if (reply instanceof RedisError) {
        demoted ??= reply.code === "READONLY" ? reply : undefined;
        if (!call.text) this.diagnosis.refused(call.operation, reply);
        call.reject(reply);
      } else {
        call.resolve(reply ?? null);
      }
    }
    // After a failover the old primary answers as a replica: a new connection may lead to the new one.
    if (demoted) this.client.reset(demoted);
    this.#next();
  }

  #failed(write: Write, cause: unknown): void {
    if (this.#out === write) {
      this.#out = undefined;
      if (!this.#closed) {
        this.diagnosis.failed(cause);
        this.#breaker.fail();
      }
    }
    for (const call of write.calls) {
      if (call.settled) continue;
      call.settled = true;
      const reason = this.#closed ? "closed" : "connection";
      this.#observer?.failed(reason);
      call.reject(this.diagnosis.unavailable(call.operation, reason, cause));
    }
    this.#next();
  }

  /** Goes on with what has come meanwhile; when there is nothing, no timer keeps the process alive. */
  #next(): void {
    if (this.#anyWaits) this.#schedule();
    else if (!this.#out) this.#alarm.rest();
  }

  get #anyWaits(): boolean {
    return this.#waiting.length + this.#sources.length + this.#ordered.length > 0;
  }

  #expire(): void {
    this.#seal();
    const now = performance.now() + 0.5; // timers may fire a little early
    const out = this.#out;
    const live = (call: Waiting) => !call.settled;
    const dues: Due[] = [...this.#waiting.filter(live), ...this.#sources];
    if (out) dues.push(out, ...out.calls.filter(live));
    respite(dues, now, this.#timeout);
    let expired = false;
    const expire = (call: Waiting) => {
      if (call.settled || call.deadline > now) return;
      expired = call.settled = true;
      this.#observer?.failed("timeout");
      call.reject(this.diagnosis.unavailable(call.operation, "timeout"));
    };
    out?.calls.forEach(expire);
    this.#waiting.forEach(expire);
    this.#waiting = this.#waiting.filter(live);
    this.#sources = this.#sources.filter(({ source, deadline }) => {
      if (deadline > now) return true;
      expired = true;
      this.#observer?.failed("timeout");
      source.fail(this.diagnosis.unavailable(source.operation, "timeout"));
      return false;
    });
    // While a write is out, its end is what counts: calls may have been in a hurry, or have come late.
    if (expired && !out) this.#breaker.fail();
    if (out && out.deadline <= now) {
      // Its replies may come any time or never: what follows needs a connection that is in step.
      const cause = new UnavailableError("use the connection", "timeout");
      this.client.reset(cause);
      this.#failed(out, cause);
    }
    for (const { deadline } of dues) if (deadline > now) this.#alarm.set(deadline);
  }

  #giveUp(cause: unknown): void {
    this.#breaker.trip();
    this.#failWaiting("connection", cause);
  }

  #failWaiting(reason: UnavailableError["reason"], cause?: unknown): void {
    const [calls, sources] = [this.#waiting, [...this.#ordered, ...this.#sources]];
    this.#waiting = [];
    this.#ordered = [];
    this.#sources = [];
    for (const call of calls) {
      if (call.settled) continue;
      call.settled = true;
      this.#observer?.failed(reason);
      call.reject(this.diagnosis.unavailable(call.operation, reason, cause));
    }
    for (const { source } of sources) {
      this.#observer?.failed(reason);
      source.fail(this.diagnosis.unavailable(source.operation, reason, cause));
    }
  }
}

/** Has sources hand over what they collected. */
function takeAll(sources: readonly WaitingSource[], into: Waiting[]): void {
  for (const { source, deadline, respited } of sources) {
    for (const call of source.take()) into.push({ ...call, deadline, respited, settled: false });
  }
}

function both(one: BatchObserver, other: BatchObserver): BatchObserver {
  return {
    answered(operation, milliseconds) {
      one.answered(operation, milliseconds);
      other.answered(operation, milliseconds);
    },
    failed(reason) {
      one.failed(reason);
      other.failed(reason);
    },
  };
}

/** Lets the process end although the timer is set. */
export function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === "number") (globalThis as { Deno?: typeof Deno }).Deno?.unrefTimer(timer);
  else (timer as { unref?: () => void }).unref?.();
}
