import { assert, assertEquals, assertFalse } from "@std/assert";
import { importMap } from "../support/deno_process.ts";
import { APP_RIGHTS } from "../support/app_rights.ts";
import { RedisServer } from "../support/redis_server.ts";

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  links?: { traceId: string; spanId: string }[];
  parentSpanId?: string;
  kind: number;
  attributes?: { key: string; value: Record<string, unknown> }[];
  status?: { code?: number };
}

interface Attributed {
  attributes?: { key: string; value: Record<string, unknown> }[];
}

interface Metric {
  name: string;
  histogram?: { dataPoints: Attributed[] };
}

function attributesOf({ attributes = [] }: Attributed): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** Takes what a process exports by OTLP over HTTP, as JSON. */
class Receiver implements AsyncDisposable {
  readonly spans: Span[] = [];
  readonly metrics: string[] = [];
  /** What each point of the metric of durations says of itself. */
  readonly durations: Record<string, unknown>[] = [];
  text = "";
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const text = await request.text();
      this.text += text;
      const body = JSON.parse(text);
      const { pathname } = new URL(request.url);
      for (const { scopeSpans } of pathname === "/v1/traces" ? body.resourceSpans : []) {
        for (const { spans } of scopeSpans) this.spans.push(...spans);
      }
      for (const { scopeMetrics } of pathname === "/v1/metrics" ? body.resourceMetrics : []) {
        for (const metric of scopeMetrics.flatMap(({ metrics }: { metrics: Metric[] }) => metrics) as Metric[]) {
          this.metrics.push(metric.name);
          if (metric.name !== "db.client.operation.duration") continue;
          for (const point of metric.histogram!.dataPoints) this.durations.push(attributesOf(point));
        }
      }
      return Response.json({});
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.shutdown();
  }
}

Deno.test({
  name: "Larder tells OpenTelemetry what goes to Redis and what is loaded, within the span of the caller",
  ignore: !RedisServer.controllable || !("telemetry" in Deno), // Deno 2.1 has none
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    await using receiver = new Receiver();
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--no-lock", ...importMap(), "--allow-all"],
        ...[import.meta.resolve("./telemetry_worker.ts"), server.url],
      ],
      env: {
        OTEL_DENO: "true",
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      },
      stdin: "null",
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    const named = (name: string) => receiver.spans.filter((span) => span.name === name);
    const [request] = named("request");
    const within = receiver.spans.filter(({ traceId }) => traceId === request!.traceId);
    const [load] = within.filter(({ name }) => name === "cache.load");
    assertEquals(load!.parentSpanId, request!.spanId);
    assertEquals(named("database")[0]!.parentSpanId, load!.spanId);
    // The read that missed, and the write; in OTLP, 3 is a client.
    const calls = within.filter(({ kind }) => kind === 3);
    const names = calls.map(({ name }) => name);
    assert(names.includes("cache.get") && names.includes("cache.set"), JSON.stringify(names));
    for (const call of calls) {
      assertEquals(call.kind, 3);
      const attributes = new Map(call.attributes!.map(({ key, value }) => [key, Object.values(value)[0]]));
      assertEquals(attributes.get("db.system.name"), "redis");
      assert(/^(?:PIPELINE ?)?[A-Z ]*$/.test(String(attributes.get("db.operation.name"))), call.name);
      if (call.name === "cache.get") assert(String(attributes.get("larder.operation")).startsWith("read cache entr"));
      assertEquals([attributes.get("server.address"), Number(attributes.get("server.port"))], [
        "127.0.0.1",
        server.port,
      ]);
    }
    assertEquals(named("cache.load").map(({ status }) => status?.code ?? 0).sort(), [0, 0, 2]);
    const [locks] = named("locks");
    for (const step of ["lock.acquire", "lock.hold"]) {
      const steps = named(step).filter(({ traceId }) => traceId === locks!.traceId);
      assertEquals(steps.map(({ parentSpanId, kind }) => [parentSpanId, kind]), [[locks!.spanId, 1]], step);
    }
    assertEquals(named("work")[0]!.parentSpanId, named("lock.hold")[0]!.spanId);
    const [publish] = named("channel.publish");
    const [received] = named("channel.receive");
    assertEquals([publish!.parentSpanId, publish!.kind], [named("order")[0]!.spanId, 4]); // a producer
    assertEquals(received!.kind, 5); // a consumer
    const links = received!.links!.map(({ traceId, spanId }) => [traceId, spanId]);
    assertEquals(links, [[publish!.traceId, publish!.spanId]]);
    const [add] = named("streams.add").filter(({ kind }) => kind === 4);
    const [consume] = named("streams.consume");
    assertEquals([add!.parentSpanId, consume!.kind], [named("job")[0]!.spanId, 5]);
    assertEquals(consume!.links!.map(({ traceId, spanId }) => [traceId, spanId]), [[add!.traceId, add!.spanId]]);
    assertEquals(named("handling")[0]!.parentSpanId, consume!.spanId);
    const [copies] = named("copies");
    assertEquals(receiver.spans.filter(({ traceId }) => traceId === copies!.traceId), [copies!]);
    assert(receiver.metrics.includes("db.client.operation.duration"));
    // What is done has its name, by which service ever.
    const clients = receiver.spans.filter(({ kind }) => kind === 3);
    const written = new Map(clients.map((span) => [span.name, attributesOf(span)]));
    for (const name of ["locks.acquire", "locks.release", "locks.idempotent", "locks.once", "pubsub.publish"]) {
      assert(written.get(name)?.["larder.operation"], `${name}: ${JSON.stringify([...written])}`);
    }
    for (const attributes of receiver.durations) {
      assert(/^[A-Z]/.test(String(attributes["db.operation.name"])), JSON.stringify(attributes));
      assert(typeof attributes["larder.operation"] === "string", JSON.stringify(attributes));
    }
    const operations = new Set(receiver.durations.map((attributes) => attributes["larder.operation"]));
    for (const what of ["read cache entries", "acquire lock", "keep what was done", "keep last run", "publish"]) {
      assert(operations.has(what), `${what}: ${JSON.stringify([...operations])}`);
    }
    assertFalse(receiver.text.includes("secret-"), "keys and messages stay where they are");
  },
});
