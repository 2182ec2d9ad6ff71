import { RedisError, UnavailableError } from "../errors.ts";
import type { Waiting } from "./call.ts";
import type { RedisReply } from "./client.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { type Due, LATE } from "./lateness.ts";
import type { BatchObserver } from "./observer.ts";
import type { ErrorMaker } from "./queue.ts";

/** A write that is out. */
export interface Write extends Due {
  readonly calls: readonly Waiting[];
  readonly sentAt: number;
}

/** Begins the deadlines: what was waited for until now was not the server. Tells when the first of them ends, too. */
export function beginWrite(calls: readonly Waiting[], timeout: number): { write: Write; first: number } {
  const sentAt = performance.now();
  let first = sentAt + timeout;
  const write = { calls, sentAt, deadline: first, respite: timeout / 2, respites: 0 };
  for (const call of calls) {
    const end = sentAt + call.timeout;
    call.deadline = call.within ? Math.min(end, call.within.begin(sentAt)) : end;
    call.respites = 0;
    call.busy = sentAt - call.since > LATE;
    if (call.deadline < first) first = call.deadline;
    call.written?.(sentAt);
  }
  return { write, first };
}

/** Gives each call its reply, and tells whether the server has become a replica. */
export function answerCalls(
  calls: readonly Waiting[],
  replies: readonly (RedisReply | UnavailableError)[],
  milliseconds: number,
  observer: BatchObserver | undefined,
  diagnosis: Diagnosis,
): RedisError | undefined {
  let demoted: RedisError | undefined;
  for (let i = 0; i < calls.length; i++) {
    const call = calls[i]!;
    if (call.settled) continue;
    call.settled = true;
    const reply = replies[i];
    if (reply instanceof UnavailableError) {
      observer?.failed(reply.reason);
      call.reject(new UnavailableError(call.operation, reply.reason, { cause: reply.cause ?? reply }));
    } else if (reply instanceof RedisError) {
      if (reply.code !== "NOSCRIPT") observer?.failed(reply.code); // that is sent again
      if (!call.text) diagnosis.refused(call.operation, reply);
      demoted ??= reply.code === "READONLY" ? reply : undefined;
      call.reject(reply);
    } else {
      observer?.answered(call.operation, milliseconds);
      diagnosis.worked(call.operation);
      call.resolve(reply ?? null);
    }
  }
  return demoted;
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
  return calls.some((call) => call.expired && call.respites === 0);
}
