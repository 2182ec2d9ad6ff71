import { RedisError, UnavailableError } from "../errors.ts";
import type { Waiting } from "./call.ts";
import type { RedisCommand, RedisReply } from "./client.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { type Due, LATE } from "./grace_period.ts";
import type { BatchObserver } from "../observe/batch_observer.ts";
import type { ErrorMaker } from "./queue.ts";
import type { Redirect } from "./cluster/redirect.ts";

/** A write that is out. */
export interface Write extends Due {
  readonly calls: readonly Waiting[];
  readonly sentAt: number;
}

/** Begins the deadlines: what was waited for until now was not the server. Tells when the first of them ends, too. */
export function beginWrite(
  calls: readonly Waiting[],
  timeout: number,
  sentAt: number,
): { write: Write; first: number } {
  let first = sentAt + timeout;
  const write = { calls, sentAt, deadline: first, gracePeriod: timeout / 2, gracePeriods: 0 };
  for (const call of calls) {
    const end = sentAt + call.timeout;
    call.deadline = call.within ? Math.min(end, call.within.begin(sentAt)) : end;
    call.gracePeriods = 0;
    call.busy = sentAt - call.since > LATE;
    if (call.deadline < first) first = call.deadline;
    call.written?.(sentAt);
  }
  return { write, first };
}

/** All commands of the calls, in order, with those that go in front of a call. */
export function commandsOf(calls: readonly Waiting[]): readonly RedisCommand[] {
  let commands: RedisCommand[] | undefined;
  for (let i = 0; i < calls.length; i++) {
    const call = calls[i]!;
    if (call.before) (commands ??= calls.slice(0, i)).push(...call.before);
    commands?.push(call);
  }
  return commands ?? calls;
}

const NONE: readonly RedisReply[] = [];

/** Gives each call its replies, and tells whether the server has become a replica. */
export function answerCalls(
  calls: readonly Waiting[],
  replies: readonly (RedisReply | UnavailableError)[],
  milliseconds: number,
  observer: BatchObserver | undefined,
  diagnosis: Diagnosis,
  redirect?: Redirect,
): RedisError | undefined {
  let demoted: RedisError | undefined;
  let next = 0;
  for (const call of calls) {
    const first = next;
    next += (call.before?.length ?? 0) + 1;
    if (call.settled) continue;
    const before = call.before === undefined ? NONE : replies.slice(first, next - 1);
    let reply = replies[next - 1];
    if (call.takesErrors && answered(before) && reply !== undefined && !(reply instanceof UnavailableError)) {
      call.settled = true;
      observer?.answered(call.operation, milliseconds, call.name);
      call.resolve(reply, before);
      continue;
    }
    for (let i = before.length - 1; i >= 0; i--) if (before[i] instanceof Error) reply = before[i];
    if (redirect && reply instanceof RedisError && redirect(call, reply)) continue;
    call.settled = true;
    if (reply instanceof UnavailableError) {
      observer?.failed(reply.reason);
      call.reject(new UnavailableError(call.operation, reply.reason, { cause: reply.cause ?? reply }));
    } else if (reply instanceof RedisError) {
      if (reply.code !== "NOSCRIPT") observer?.failed(reply.code); // that is sent again
      if (!call.text) diagnosis.refused(call.operation, reply);
      demoted ??= reply.code === "READONLY" ? reply : undefined;
      call.reject(reply);
    } else {
      observer?.answered(call.operation, milliseconds, call.name);
      diagnosis.worked(call.operation, call.name);
      call.resolve(reply ?? null, before as readonly RedisReply[]);
    }
  }
  return demoted;
}

/** Whether all of it came from the server. */
function answered(replies: readonly (RedisReply | UnavailableError | undefined)[]): replies is readonly RedisReply[] {
  return !replies.some((reply) => reply === undefined || reply instanceof UnavailableError);
}

/** Fails the calls that were not answered. */
export function failCalls(
  calls: readonly Waiting[],
  reason: UnavailableError["reason"],
  cause: unknown,
  error: ErrorMaker,
): void {
  for (const call of calls) {
    if (call.settled) continue;
    call.settled = true;
    call.reject(error(call.operation, reason, cause));
  }
}

/** Whether somebody has given up what was answered after all, although this process was not busy. */
export function tookLonger({ calls }: Write): boolean {
  return calls.some((call) => call.expired && call.gracePeriods === 0);
}
