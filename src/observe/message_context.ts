// Imported like telemetry.ts does, for the same reason.
import { createTraceState, type SpanContext, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Link } from "@opentelemetry/api";
import { type MessageHeaders, readHeaders, TRACE_PARENT } from "../util/message_headers.ts";

/**
 * Traces messages from who sends them to who handles them, in spans with a name such as `"channel.publish"`. Those of
 * channels and streams are not told: they may say of whom the messages are.
 */
export interface MessageTracer {
  /** Runs what sends a message within a span, and gives it the headers that say so. */
  send<T>(span: string, send: (headers: MessageHeaders | undefined) => Promise<T>): Promise<T>;
  /** Tells that a message was handed over: by a span with a link to the one that sent it. */
  received(span: string, headers: MessageHeaders): void;
  /** Runs what handles a message within a span with a link to the one that sent it. */
  process<T>(span: string, headers: MessageHeaders | undefined, work: () => Promise<T>): Promise<T>;
}

/** Traces messages by the tracer of a scope. */
export function messageTracer(scope: string): MessageTracer {
  const tracer = trace.getTracer(scope);
  // https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
  const attributes = (operation: string) => ({ "messaging.system": "redis", "messaging.operation.type": operation });
  const within = async <T>(
    name: string,
    operation: string,
    options: { kind: number; links?: Link[] },
    work: () => Promise<T>,
  ): Promise<T> =>
    await tracer.startActiveSpan(name, { ...options, attributes: attributes(operation) }, async (span) => {
      try {
        return await work();
      } catch (error) {
        // The kind of error and nothing else: messages may quote what was sent.
        span.setAttribute("error.type", error instanceof Error ? error.name : "unknown");
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  return {
    send: (name, send) =>
      within(name, "send", { kind: SpanKind.PRODUCER }, () => send(headersOf(trace.getActiveSpan()?.spanContext()))),
    received(name, headers) {
      const options = { kind: SpanKind.CONSUMER, links: linksOf(headers), attributes: attributes("receive") };
      tracer.startSpan(name, options).end();
    },
    process: (name, headers, work) =>
      within(name, "process", { kind: SpanKind.CONSUMER, links: linksOf(headers) }, work),
  };
}

function headersOf(span: SpanContext | undefined): MessageHeaders | undefined {
  if (!span) return undefined;
  const traceparent = `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`;
  const tracestate = span.traceState?.serialize();
  return readHeaders({ traceparent, ...(tracestate && { tracestate }) });
}

function linksOf(headers: MessageHeaders | undefined): Link[] {
  const [, traceId, spanId, flags] = TRACE_PARENT.exec(headers?.traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return [];
  const traceState = headers?.tracestate === undefined ? undefined : createTraceState(headers.tracestate);
  const traceFlags = parseInt(flags, 16);
  return [{ context: { traceId, spanId, traceFlags, isRemote: true, ...(traceState && { traceState }) } }];
}
