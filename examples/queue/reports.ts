import type { Larder } from "@larder/larder";
import { bullConnection } from "@larder/larder/redis";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

/** What a report is about. */
export interface Request {
  readonly month: string;
}

/** A report. */
export interface Report extends Request {
  readonly total: number;
}

const NAME = "reports";
/** BullMQ has its keys beside those of Larder. */
const PREFIX = "larder-queue";

/**
 * A connection of its own. BullMQ makes one of the options by itself where it finds `ioredis` in `node_modules`, which
 * Deno need not have.
 */
function open(redis: Larder): Redis {
  const client = new Redis(bullConnection(redis));
  client.on("error", () => {}); // it connects again; that the server is away, the events of Larder tell
  return client;
}

/** Reports that take long: they are made by a worker, each once, and kept in the cache. */
export class Reports implements AsyncDisposable {
  readonly #redis: Larder;
  readonly #client: Redis;
  readonly #queue: Queue<Request, Report>;

  constructor(redis: Larder) {
    this.#redis = redis;
    this.#client = open(redis);
    this.#queue = new Queue(NAME, { connection: this.#client, prefix: PREFIX });
  }

  /** The report if it was made, or else the number of its job. */
  async get(month: string): Promise<{ report: Report } | { job: string }> {
    const report = await this.#redis.cache.get<Report>(keyOf(month));
    if (report) return { report };
    // One job for all who ask: BullMQ adds none with an id that it has.
    const options = { jobId: month, removeOnComplete: true, attempts: 3, backoff: { type: "exponential", delay: 100 } };
    const { id } = await this.#queue.add(NAME, { month }, options);
    return { job: id! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
    this.#client.disconnect();
  }
}

/** Makes reports, in this process or any other: `make` is given what was asked for. */
export function startWorker(redis: Larder, make: (month: string) => Promise<number>): AsyncDisposable {
  const work = async ({ data: { month } }: { data: Request }): Promise<Report> => {
    const report = { month, total: await make(month) };
    await redis.cache.set(keyOf(month), report, { ttl: "1h", tags: ["reports"] });
    return report;
  };
  const client = open(redis);
  const worker = new Worker<Request, Report>(NAME, work, { connection: client, prefix: PREFIX });
  return {
    async [Symbol.asyncDispose]() {
      await worker.close();
      client.disconnect();
    },
  };
}

function keyOf(month: string): string {
  return `report:${month}`;
}
