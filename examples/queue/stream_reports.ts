import type { Larder, Stream } from "@larder/larder";
import type { Report, Request } from "./reports.ts";

/** How many requests are kept, done or not. */
const KEPT = 10_000;

/** The same without BullMQ: reports are asked for on a stream. */
export class StreamReports {
  readonly #redis: Larder;
  readonly #asked: Stream<Request>;

  constructor(redis: Larder) {
    this.#redis = redis;
    this.#asked = redis.streams.stream<Request>("reports", { maxLength: KEPT });
  }

  /** The report if it was made, or else the number of its job. */
  async get(month: string): Promise<{ report: Report } | { job: string }> {
    const report = await this.#redis.cache.get<Report>(keyOf(month));
    if (report) return { report };
    // One job for all who ask in these seconds; after that it is asked for again, if it is still not made.
    return { job: await this.#asked.add({ month }, { key: month, id: month, idWindow: "10s" }) };
  }

  /** Makes reports, in this process or any other: `make` is given what was asked for. */
  startWorker(make: (month: string) => Promise<number>): AsyncDisposable {
    const { cache } = this.#redis;
    const options = { concurrency: 4, maxAttempts: 3, retryDelay: "100ms" };
    const worker = this.#asked.consume("workers", options, async ({ value: { month } }) => {
      if (await cache.has(keyOf(month))) return; // at least once: it was made already
      await cache.set(keyOf(month), { month, total: await make(month) }, { ttl: "1h", tags: ["reports"] });
    });
    return { [Symbol.asyncDispose]: () => worker.shutdown() };
  }
}

function keyOf(month: string): string {
  return `report:${month}`;
}
