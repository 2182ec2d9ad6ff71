/**
 * What travels with a message: the span that sent it, as W3C Trace Context writes it.
 *
 * https://www.w3.org/TR/trace-context/
 */
export interface MessageHeaders {
  /** The trace and the span. */
  readonly traceparent: string;
  /** What systems of tracing add to it. */
  readonly tracestate?: string;
}

/** A `traceparent`: the trace, the span and its flags. */
export const TRACE_PARENT: RegExp = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** How long a `tracestate` may be that is passed on: as much as the standard wants of everybody. */
const LONGEST_STATE = 512;
/** One line of printable ASCII. */
const STATE = /^[\x20-\x7e]+$/;

/** Takes the headers out of what came with a message: whoever may write there may have put anything. */
export function readHeaders(given: unknown): MessageHeaders | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  const { traceparent, tracestate } = given as Record<string, unknown>;
  if (typeof traceparent !== "string" || !TRACE_PARENT.test(traceparent)) return undefined;
  const state = typeof tracestate === "string" && tracestate.length <= LONGEST_STATE && STATE.test(tracestate);
  return { traceparent, ...(state && { tracestate }) };
}
