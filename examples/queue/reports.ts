import type { Larder } from "@larder/larder";
import { bullConnection } from "@larder/larder/redis";
import { Queue, Worker } from "bullmq";

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

/** Reports that take long: they are made by a worker, each once, and kept in the cache. */
export class Reports implements AsyncDisposable {
  readonly #redis: Larder;
  readonly #queue: Queue<Request, Report>;

  constructor(redis: Larder) {
    this.#redis = redis;
    this.#queue = new Queue(NAME, { connection: bullConnection(redis), prefix: PREFIX });
    this.#queue.on("error", () => {}); // told by the events of Larder: it is the same server
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
  }
}

/** Makes reports, in this process or any other: `make` is given what was asked for. */
export function startWorker(redis: Larder, make: (month: string) => Promise<number>): AsyncDisposable {
  const work = async ({ data: { month } }: { data: Request }): Promise<Report> => {
    const report = { month, total: await make(month) };
    await redis.cache.set(keyOf(month), report, { ttl: "1h", tags: ["reports"] });
    return report;
  };
  const worker = new Worker<Request, Report>(NAME, work, { connection: bullConnection(redis), prefix: PREFIX });
  worker.on("error", () => {});
  return { [Symbol.asyncDispose]: () => worker.close() };
}

function keyOf(month: string): string {
  return `report:${month}`;
}
