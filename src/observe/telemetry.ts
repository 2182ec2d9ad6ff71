// Not loaded when it is needed: in programs that import node-redis as well, Deno would look for a copy that is not
// there. https://github.com/denoland/deno/issues/28366
import { metrics, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { BatchObserver, TracedCommand, WriteTracer } from "./batch_observer.ts";
import { type MessageTracer, messageTracer } from "./message_context.ts";
import { spanName } from "./span_names.ts";

/** Where a server is, for the attributes of spans. */
export interface TracedServer {
  readonly hostname: string;
  readonly port: number;
  readonly path?: string;
  readonly db: number;
}

/** Runs a loader of the cache within a span. */
export type LoadTracer = <T>(background: boolean, load: () => Promise<T>) => Promise<T>;

/** Runs what is done with a lock within a span: the wait for it, or the job while it is held. */
export type LockTracer = <T>(step: "acquire" | "hold", work: () => Promise<T>) => Promise<T>;

/** What OpenTelemetry is told, where there is one. */
export interface Telemetry {
  /** Traces and counts what goes to a server. */
  server(server: TracedServer | undefined): { trace: WriteTracer; observer: BatchObserver };
  /** Traces loaders. */
  readonly load: LoadTracer;
  /** Traces locks. */
  readonly lock: LockTracer;
  /** Traces messages. */
  readonly message: MessageTracer;
}

/** Under this name, OpenTelemetry's API keeps what was set up: by Deno with `OTEL_DENO=true`, or by an SDK. */
const GLOBAL = Symbol.for("opentelemetry.js.api.1");
const SCOPE = "larder";

/** A process has one OpenTelemetry. */
let found: Telemetry | undefined;

/** Runs loaders within spans, once {@linkcode findTelemetry} has found somebody who wants them. */
export function loadTracer(): LoadTracer | undefined {
  return found?.load;
}

/** Runs what is done with locks within spans, once {@linkcode findTelemetry} has found somebody who wants them. */
export function lockTracer(): LockTracer | undefined {
  return found?.lock;
}

/** Traces messages, once {@linkcode findTelemetry} has found somebody who wants that. */
export function tracesMessages(): MessageTracer | undefined {
  return found?.message;
}

/** Finds out whether somebody has set up OpenTelemetry. */
export function findTelemetry(): Telemetry | undefined {
  if (!(GLOBAL in globalThis)) return undefined;
  return found ??= openTelemetry();
}

function openTelemetry(): Telemetry {
  const tracer = trace.getTracer(SCOPE);
  const meter = metrics.getMeter(SCOPE);
  // https://opentelemetry.io/docs/specs/semconv/database/database-metrics/
  const duration = meter.createHistogram("db.client.operation.duration", {
    unit: "s",
    description: "Duration of database client operations",
    advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] },
  });
  const failures = meter.createCounter("larder.redis.failures", { description: "Calls that Redis did not answer" });

  const within = async <T>(
    name: string,
    kind: number,
    attributes: Record<string, string | number | boolean>,
    work: () => Promise<T>,
  ): Promise<T> =>
    await tracer.startActiveSpan(name, { kind, attributes }, async (span) => {
      try {
        return await work();
      } catch (error) {
        // The kind of error and nothing else: messages may quote what was sent.
        const type = error instanceof Error ? error.name : "unknown";
        span.setAttribute("error.type", type);
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });

  return {
    server(server) {
      const address: Record<string, string | number> = {
        "db.system.name": "redis",
        ...(server && {
          "db.namespace": String(server.db),
          ...(server.path === undefined
            ? { "server.address": server.hostname, "server.port": server.port }
            : { "server.address": server.path, "network.transport": "unix" }),
        }),
      };
      return {
        trace: async (commands, write) => {
          const command = nameOf(commands.map(({ name }) => name));
          const operation = same(commands.map(operationOf));
          const attributes: Record<string, string | number> = {
            ...address,
            "db.operation.name": command,
            ...(operation !== undefined && { "larder.operation": operation }),
          };
          if (commands.length > 1) attributes["db.operation.batch.size"] = commands.length;
          return await within(same(commands.map(spanOf)) ?? command, SpanKind.CLIENT, attributes, write);
        },
        observer: {
          answered(operation, milliseconds, command) {
            const what = operationOf({ operation });
            duration.record(milliseconds / 1000, {
              ...address,
              "db.operation.name": command,
              "larder.operation": what,
            });
          },
          failed: (reason) => failures.add(1, { ...address, "error.type": reason }),
        },
      };
    },
    message: messageTracer(SCOPE),
    lock: async (step, work) => await within(`lock.${step}`, SpanKind.INTERNAL, {}, work),
    load: async (background, load) =>
      await within("cache.load", SpanKind.INTERNAL, { "larder.cache.background": background }, load),
  };
}

/** The name of a command, or what all of several are. */
function nameOf(names: readonly string[]): string {
  if (names.length === 1) return names[0]!;
  const all = same(names);
  return all === undefined ? "PIPELINE" : `PIPELINE ${all}`;
}

/** What all are, if they are the same. */
function same<T>(all: readonly T[]): T | undefined {
  return all.every((one) => one === all[0]) ? all[0] : undefined;
}

/** What a call is for; a raw command is of whoever sent it. */
function operationOf({ operation }: Pick<TracedCommand, "operation">): string {
  return operation.startsWith("run ") ? "command" : operation;
}

function spanOf({ operation }: TracedCommand): string | undefined {
  return spanName(operation);
}
