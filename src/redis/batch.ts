import { endBy } from "../util/abort.ts";
import { type ClosedBy, UnavailableError } from "../errors.ts";
import { Admission } from "./admission.ts";
import { Breaker, type BreakerState, worstOf } from "./breaker.ts";
import type { RedisMeter } from "../observe/redis_meter.ts";
import { DeadlineTimer } from "./deadline_timer.ts";
import type { BatchOptions } from "./batch_options.ts";
import type { CallSource, SendOptions, Waiting } from "./call.ts";
import type { RedisArgument, RedisClient, RedisCommand, RedisReply } from "./client.ts";
import type { Deadline } from "./deadline.ts";
import { Diagnosis } from "./diagnosis.ts";
import { Held } from "./held.ts";
import { Lanes } from "./cluster/lanes.ts";
import type { Redirect } from "./cluster/redirect.ts";
import { KnownScripts } from "./known_scripts.ts";
import { gracePeriod, whileMoving } from "./grace_period.ts";
import { type BatchObserver, observerOf, type WriteTracer } from "../observe/batch_observer.ts";
import { Queue, refuse } from "./queue.ts";
import { RoundTrip } from "./round_trip.ts";
import { LONGEST_WAIT, ReplicaWaiter } from "./wait_for_replicas.ts";
import { answerCalls, beginWrite, commandsOf, failCalls, tookLonger, type Write } from "./write.ts";
import { WriteSchedule } from "./write_schedule.ts";
import { WritesOut } from "./writes_out.ts";

export type { BatchOptions } from "./batch_options.ts";
export type { Call, CallSource, SendOptions } from "./call.ts";

/**
 * Sends all commands of one tick as one write, as many writes at a time as the client takes, each call with a deadline.
 *
 * Nothing is sent twice: a call whose connection failed is rejected, since it is unknown whether it ran.
 */
export class Batch {
  readonly client: RedisClient;
  /** Milliseconds after which a call is given up. */
  readonly commandTimeout: number;
  /** Calls that may wait at a time. */
  readonly maxQueued: number;
  readonly #breaker: Breaker;
  /** Why the server cannot be used at present. */
  readonly diagnosis: Diagnosis;
  /** What was measured. */
  readonly meter: RedisMeter | undefined;
  readonly #observer: BatchObserver | undefined;
  readonly #trace: WriteTracer | undefined;
  readonly #queue: Queue;
  readonly #held: Held;
  readonly #roundTrip = new RoundTrip();
  /** What the server has been sent. */
  readonly scripts: KnownScripts;
  /** Waits for replicas, over another connection. */
  readonly replicas: ReplicaWaiter;
  readonly #out: WritesOut;
  readonly #admission: Admission;
  readonly #lanes: Lanes<Batch> | undefined;
  readonly #redirect: Redirect | undefined;
  readonly #schedule = new WriteSchedule(() => this.#flush());
  readonly #deadlineTimer = new DeadlineTimer({ ring: () => this.#expire(), isNeeded: () => this.#isNeeded });
  #everAnswered = false;

  constructor(client: RedisClient, options: BatchOptions) {
    this.client = client;
    this.#out = new WritesOut(client);
    this.#lanes = client.nodes &&
      new Lanes<Batch>(client.nodes, (node, redirect) => new Batch(node, { ...options, redirect }));
    this.#redirect = options.redirect;
    this.commandTimeout = options.commandTimeout;
    this.maxQueued = options.maxQueued ?? 100_000;
    this.meter = options.meter;
    this.#observer = observerOf(options);
    this.#trace = options.trace;
    this.scripts = new KnownScripts(client);
    const diagnosis = this.diagnosis = new Diagnosis(client, options, () => this.nodes.map((node) => node.diagnosis));
    this.replicas = new ReplicaWaiter(client, (apart) => new Batch(apart, { commandTimeout: LONGEST_WAIT }), diagnosis);
    this.#queue = new Queue(this.commandTimeout, this.#error);
    this.#held = new Held(this.commandTimeout / 2, (operation) => diagnosis.unavailable(operation, "timeout"), () => {
      if (!this.#isNeeded) this.#deadlineTimer.rest();
    });
    this.#breaker = new Breaker({ onChange: (state) => diagnosis.circuit(state) });
    this.#admission = new Admission(client, this.#breaker, this.#queue, this.#out, this.maxQueued);
    client.onChange((change) => {
      if (change.state === "connected") {
        this.#breaker.probe();
      } else if (change.error !== undefined) {
        // A reconnect that failed means that waiting is in vain; a mere loss may be mended within the deadline.
        this.#breaker.trip();
        this.#queue.fail("connection", change.error);
      }
      diagnosis.changed(change);
      if (change.state === "connected") this.#goOn();
    });
  }

  /** Milliseconds of a round trip to the server, as measured of late; nothing before the first reply. */
  get roundTrip(): number | undefined {
    if (!this.#lanes) return this.#roundTrip.milliseconds;
    const all = this.nodes.flatMap(({ roundTrip }) => roundTrip ?? []);
    return all.length === 0 ? undefined : Math.max(...all);
  }

  /** The state of the circuit breaker; on a cluster it is open where that of any node is. */
  get circuit(): BreakerState {
    return worstOf([this.#breaker.state, ...this.nodes.map(({ circuit }) => circuit)]);
  }

  /** Whether the server has ever answered. */
  get answered(): boolean {
    return this.#everAnswered || this.nodes.some(({ answered }) => answered);
  }

  /** On a cluster, the batches of its nodes. */
  get nodes(): readonly Batch[] {
    return this.#lanes?.all ?? [];
  }

  /** Whether nothing waits here. */
  get idle(): boolean {
    return !this.#isNeeded;
  }

  /** Sends one command and resolves to its reply; rejects with `RedisError` or `UnavailableError`. */
  send(name: string, args: readonly RedisArgument[], options: SendOptions = {}): Promise<RedisReply> {
    const { operation = `run ${name}`, within, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const refused = this.#refusal(operation, within);
      if (refused) return reject(refused);
      const call = this.#queue.ask(name, args, { ...options, operation }, this.#isIdle, { resolve, reject });
      if (signal) endBy(call, signal);
      this.#deadlineTimer.set(call.deadline);
      this.#goOn();
    });
  }

  /** Takes calls over from another batch, or from the one of the whole cluster. */
  adopt(calls: readonly Waiting[]): void {
    for (const call of calls) {
      const refused = this.#refusal(call.operation, undefined);
      if (refused) refuse(call, refused);
      else this.#queue.add(call);
      if (!refused) this.#deadlineTimer.set(call.deadline);
    }
    this.#flush();
  }

  /** Gives away what waits to be written. */
  readonly withdraw = (): readonly Waiting[] => this.#queue.take(performance.now());

  /**
   * Asks for `source.take()` when the next write goes out. Call it once for what is collected until then.
   *
   * @param source What collects.
   * @param within The deadline of the call that what it collects is a part of.
   */
  join(source: CallSource, within?: Deadline): void {
    const refused = this.#refusal(source.operation, within);
    if (refused) return source.fail(refused);
    this.#deadlineTimer.set(this.#queue.join(source, performance.now(), this.#isIdle, within));
    this.#goOn();
  }

  /**
   * Waits for what others have called, no longer than the deadline says. It begins now.
   *
   * @throws {UnavailableError} If it comes too late.
   */
  hold<T>(work: Promise<T>, within: Deadline, operation: string): Promise<T> {
    const held = this.#held.add(work, within, operation);
    this.#deadlineTimer.set(within.end);
    return held;
  }

  /** Fails all that waits, and closes the client. */
  async close(by?: ClosedBy): Promise<void> {
    if (this.#admission.closed) return;
    this.diagnosis.closedBy ??= by;
    this.#admission.closed = true;
    for (const write of this.#out.all) this.#failed(write, undefined);
    this.#deadlineTimer.stop();
    this.#queue.fail("closed");
    await Promise.all([this.replicas[Symbol.asyncDispose](), this.#lanes?.close(this.diagnosis.closedBy)]);
    await this.client.close();
  }

  #refusal(operation: string, within: Deadline | undefined): UnavailableError | undefined {
    const reason = this.#admission.refusal(within);
    return reason === undefined ? undefined : this.#error(operation, reason);
  }

  /** Counts a failure, and makes the error for whoever asked. */
  readonly #error = (operation: string, reason: UnavailableError["reason"], cause?: unknown): UnavailableError => {
    this.#observer?.failed(reason);
    return this.diagnosis.unavailable(operation, reason, cause);
  };

  /** Whether what comes now could be written at once. */
  get #isIdle(): boolean {
    return !this.#out.full && this.client.connected;
  }

  #goOn(): void {
    if (!this.#out.full) this.#schedule.set();
  }

  #flush(): void {
    // Without a connection, calls wait for one until their deadline.
    if (this.#out.full || this.#admission.closed || !this.client.connected) return;
    if (!this.#queue.any) return;
    const now = performance.now();
    const calls = this.#queue.take(now);
    if (calls.length === 0) return;
    if (this.#lanes) return this.#deal(calls, this.#lanes);
    const { write, first } = beginWrite(calls, this.commandTimeout, now);
    this.#out.add(write);
    this.#deadlineTimer.set(first);
    const commands = commandsOf(calls);
    this.#send(calls, commands).then(
      (replies) => this.#answered(write, commands.length, replies),
      (error) => this.#failed(write, error),
    );
  }

  /** Has the calls written to their nodes. */
  #deal(calls: Waiting[], lanes: Lanes<Batch>): void {
    this.#breaker.succeed(); // the cluster can be reached: whether a node can is counted there
    lanes.deal(calls, this.#error);
    this.#next();
  }

  /** Has the client send them. No async function: this is done for each write. */
  #send(calls: readonly Waiting[], commands: readonly RedisCommand[]): ReturnType<RedisClient["pipeline"]> {
    try {
      const send = () => this.client.pipeline(commands);
      return this.#trace ? this.#trace(calls, send) : send();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #answered(write: Write, wanted: number, replies: (RedisReply | UnavailableError)[]): void {
    if (replies.length !== wanted) {
      const error = new Error(`Cannot tell replies apart: wanted ${wanted}, got ${replies.length}`);
      this.client.reset(error);
      return this.#failed(write, error);
    }
    const milliseconds = performance.now() - write.sentAt;
    if (this.#out.remove(write)) {
      if (tookLonger(write)) this.#roundTrip.learn(milliseconds);
      else if (write.gracePeriods === 0) this.#roundTrip.add(milliseconds); // else it was this process that was slow
    }
    this.#breaker.succeed();
    this.#everAnswered = true;
    this.diagnosis.answered(write.calls, milliseconds);
    const demoted = answerCalls(write.calls, replies, milliseconds, this.#observer, this.diagnosis, this.#redirect);
    // After a failover the old primary answers as a replica: a new connection may lead to the new one.
    if (demoted) this.client.reset(demoted);
    this.#next();
  }

  #failed(write: Write, cause: unknown): void {
    if (this.#out.remove(write) && !this.#admission.closed) {
      this.diagnosis.failed(cause);
      if (this.#out.isNewFailure(write)) this.#breaker.fail();
    }
    failCalls(write.calls, this.#admission.closed ? "closed" : "connection", cause, this.#error);
    this.#next();
  }

  /** Goes on with what has come meanwhile; when there is nothing, no timer keeps the process alive. */
  #next(): void {
    if (this.#queue.any) this.#goOn();
    else if (!this.#isNeeded) this.#deadlineTimer.rest();
  }

  get #isNeeded(): boolean {
    return this.#queue.any || this.#out.any || this.#held.dues.size > 0;
  }

  #expire(): void {
    const now = performance.now() + 0.5; // timers may fire a little early
    const out = [...this.#out.all];
    const dues = [...this.#queue.dues(), ...this.#held.dues, ...this.#out.dues()];
    if (out.length > 0) whileMoving(dues, this.client.movedAt, now);
    gracePeriod(dues, now);
    this.#held.expire(now);
    this.#out.expire(now, this.#error);
    // While a write is out, its end is what counts: calls may have been in a hurry, or have come late.
    if (this.#queue.expire(now) && out.length === 0) this.#breaker.fail();
    if (out.some(({ deadline }) => deadline <= now)) {
      // Replies may come any time or never: what follows needs a connection that is in step.
      const cause = new UnavailableError("use the connection", "timeout");
      this.client.reset(cause);
      for (const write of out) this.#failed(write, cause);
    }
    for (const { deadline } of dues) if (deadline > now) this.#deadlineTimer.set(deadline);
  }
}
