/**
 * A process with load on all services: reads one setup, then works until it is stopped, and tells each tenth of a
 * second what came of its calls by bucket.
 *
 * @module
 */
import { Cluster, Redis } from "ioredis";
import { connect, type Larder } from "../../mod.ts";
import { fromIoredis } from "../../src/redis/adapters/from_ioredis.ts";
import { cacheLoad, limitLoad, sessionLoad } from "./cache_load.ts";
import { Context, pause } from "./context.ts";
import { lockLoad } from "./lock_load.ts";
import { channelLoad, streamLoad } from "./message_load.ts";
import { LIMIT, type Setup } from "./setup.ts";

const setup: Setup = JSON.parse(Deno.args[0]!);
const quiet = () => {};

const truth = new Redis(setup.truth, "127.0.0.1");

const client = setup.sentinels
  ? new Redis({
    sentinels: setup.sentinels.map((port) => ({ host: "127.0.0.1", port })),
    name: "main",
    maxRetriesPerRequest: 0,
  })
  : new Cluster([{ host: "127.0.0.1", port: setup.node! }], { retryDelayOnFailover: 0 });
client.on("error", quiet);

const redis: Larder = await connect({
  client: fromIoredis(client as Redis),
  namespace: setup.namespace,
  buckets: setup.buckets,
  on: quiet,
  // Without a replica that is in touch a login waits for all of that.
  sessions: { durability: { replicas: 1, timeout: "100ms" } },
  rateLimit: {
    presets: {
      TIGHT: { limit: LIMIT, window: "1h", onUnavailable: "closed" },
      PROOF: { limit: 1_000_000_000, window: "1h", algorithm: "fixed-window", onUnavailable: "closed" },
    },
  },
} as never);
await redis.ready({ timeout: "20s" });

const context = new Context(redis, truth, setup);
const loads = [cacheLoad, sessionLoad, limitLoad, lockLoad, streamLoad, channelLoad].map((load) => load(context));

let stopped = false;
const callers = Promise.all(
  loads.flatMap(({ steps }) => steps).map(async (step) => {
    while (!stopped) {
      await step();
      await pause(4);
    }
  }),
);

const encoder = new TextEncoder();
const tell = (value: unknown) => Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(value)}\n`));
const silence = context.report((bin) => tell({ bin }));

for await (const _ of Deno.stdin.readable) break; // one line ends it
stopped = true;
silence();
await callers;
await Promise.all(loads.map((load) => load.end?.()));
tell({ told: context.told });
await redis.close();
client.disconnect();
truth.disconnect();
