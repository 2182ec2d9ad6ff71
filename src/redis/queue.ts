import type { UnavailableError } from "../errors.ts";
import type { Call, CallSource, SendOptions, Waiting } from "./call.ts";
import type { RedisArgument } from "./client.ts";
import type { Deadline } from "./deadline.ts";
import { type Due, LATE } from "./grace_period.ts";

/** Counts a failure, and makes the error for whoever asked. */
export type ErrorMaker = (operation: string, reason: UnavailableError["reason"], cause?: unknown) => UnavailableError;

/** A source that waits to be asked. */
interface WaitingSource extends Due {
  readonly source: CallSource;
  /** When it joined, by `performance.now()`, if the next write could have gone out at once. */
  readonly since: number;
}

/** What waits to be written, in order. */
export class Queue {
  readonly #timeout: number;
  readonly #error: ErrorMaker;
  #calls: Waiting[] = [];
  #sources: WaitingSource[] = [];
  /** Ordered ones, whose place is behind all calls that wait. */
  #ordered: WaitingSource[] = [];
  #wasBusy = false;

  constructor(timeout: number, error: ErrorMaker) {
    this.#timeout = timeout;
    this.#error = error;
  }

  /** How many calls wait, those aside that sources have collected. */
  get length(): number {
    return this.#calls.length;
  }

  /** Whether anything waits. */
  get any(): boolean {
    return this.#calls.length + this.#sources.length + this.#ordered.length > 0;
  }

  /** Makes a call of a command, and adds it; `idle` tells whether it could be written at once. */
  ask(
    name: string,
    args: readonly RedisArgument[],
    { operation = name, timeout = Infinity, within, text, route }: SendOptions,
    idle: boolean,
    { resolve, reject }: Pick<Call, "resolve" | "reject">,
  ): Waiting {
    const most = Math.min(timeout, this.#timeout);
    const now = performance.now();
    const call: Waiting = {
      name,
      args,
      ...(text && { text }),
      ...(route !== undefined && { route }),
      operation,
      resolve,
      reject,
      within,
      timeout: most,
      since: idle ? now : Infinity,
      deadline: Math.min(now + most, within?.end ?? Infinity),
      gracePeriod: this.#timeout / 2,
      gracePeriods: 0,
      settled: false,
    };
    this.add(call);
    return call;
  }

  /** Adds a call. */
  add(call: Waiting): void {
    this.#seal();
    this.#calls.push(call);
  }

  /** Adds a source, and tells when it ends unless it is asked before. */
  join(source: CallSource, now: number, idle: boolean, within: Deadline | undefined): number {
    const timeout = this.#timeoutOf(source);
    const deadline = Math.min(now + timeout, within?.end ?? Infinity);
    const since = idle ? now : Infinity;
    const due = { deadline, gracePeriod: this.#gracePeriodOf(source), gracePeriods: 0, busy: this.#wasBusy, within };
    (source.ordered ? this.#ordered : this.#sources).push({ source, since, ...due });
    return deadline;
  }

  /** Takes all that is to be written now, by `performance.now()`. What joins meanwhile is for the next write. */
  take(now: number): Waiting[] {
    this.#seal(now);
    const calls = this.#calls.filter((call) => !call.settled);
    this.#calls = [];
    // Reads that were collected go last: they see what was written in the same tick.
    const sources = this.#sources;
    this.#sources = [];
    this.#takeAll(sources, calls, now);
    return calls;
  }

  /** What has a deadline. */
  dues(): Due[] {
    this.#seal();
    return [...this.#calls.filter((call) => !call.settled), ...this.#sources];
  }

  /** Ends what is due, and tells whether anything was. */
  expire(now: number): boolean {
    let expired = false;
    for (const call of this.#calls) if (expire(call, now, this.#error)) expired = true;
    this.#calls = this.#calls.filter((call) => !call.settled);
    const late = this.#sources.filter(({ deadline }) => deadline <= now);
    this.#sources = this.#sources.filter(({ deadline }) => deadline > now);
    for (const { source } of late) source.fail(this.#error(source.operation, "timeout"));
    return expired || late.length > 0;
  }

  /** Fails all. */
  fail(reason: UnavailableError["reason"], cause?: unknown): void {
    const [calls, sources] = [this.#calls, [...this.#ordered, ...this.#sources]];
    this.#calls = [];
    this.#ordered = [];
    this.#sources = [];
    for (const call of calls) {
      if (!call.settled) refuse(call, this.#error(call.operation, reason, cause));
    }
    for (const { source } of sources) source.fail(this.#error(source.operation, reason, cause));
  }

  /** Takes what was collected in order: what comes from now on comes after it. */
  #seal(now?: number): void {
    if (this.#ordered.length === 0) return;
    const ordered = this.#ordered;
    this.#ordered = [];
    this.#takeAll(ordered, this.#calls, now ?? performance.now());
  }

  /** Has sources hand over what they collected. */
  #takeAll(sources: readonly WaitingSource[], into: Waiting[], now: number): void {
    for (const { source, since, deadline, gracePeriods } of sources) {
      const timeout = this.#timeoutOf(source);
      const gracePeriod = this.#gracePeriodOf(source);
      // What joins again has come at the same time.
      this.#wasBusy = now - since > LATE;
      const begun = { timeout, since, deadline, gracePeriod, gracePeriods };
      for (const call of source.take()) into.push(waiting(call, begun));
      this.#wasBusy = false;
    }
  }

  #timeoutOf({ timeout = Infinity }: CallSource): number {
    return Math.min(timeout, this.#timeout);
  }

  /** Who is in a hurry needs all of his time once more when this process was busy; others have plenty. */
  #gracePeriodOf({ timeout = Infinity }: CallSource): number {
    return Math.min(timeout, this.#timeout / 2);
  }
}

/** A call that waits. Spelled out, so that all have one shape: this is done for each write. */
function waiting(
  call: Call,
  begun: Pick<Waiting, "timeout" | "since" | "deadline" | "gracePeriod" | "gracePeriods">,
): Waiting {
  const { timeout, since, deadline, gracePeriod, gracePeriods } = begun;
  return {
    name: call.name,
    args: call.args,
    text: call.text,
    into: call.into,
    route: call.route,
    operation: call.operation,
    within: call.within,
    before: call.before,
    takesErrors: call.takesErrors,
    written: call.written,
    resolve: call.resolve,
    reject: call.reject,
    timeout,
    since,
    deadline,
    gracePeriod,
    gracePeriods,
    settled: false,
  };
}

/** Gives a call up, if it is due, and tells whether it was. */
export function expire(call: Waiting, now: number, error: ErrorMaker): boolean {
  if (call.settled || call.deadline > now) return false;
  refuse(call, error(call.operation, "timeout"));
  return true;
}

/** Ends a call with an error. */
export function refuse(call: Waiting, error: UnavailableError): void {
  call.settled = true;
  call.reject(error);
}
