import { Queue, Worker } from "bullmq";

/** Jobs by a peer. */
export interface PeerQueue extends AsyncDisposable {
  /** Adds a job. */
  add(id: number): Promise<unknown>;
  /** Adds many, and resolves when all are handled. */
  handle(count: number): Promise<void>;
}

/** `npm:bullmq` with what it does by default, except that finished jobs are not kept. */
export async function openBullMq(url: string, prefix: string, concurrency: number): Promise<PeerQueue> {
  const connection = { url, maxRetriesPerRequest: null };
  const options = { connection, prefix, defaultJobOptions: { removeOnComplete: true } };
  const [adds, jobs] = [new Queue("adds", options), new Queue("jobs", options)];
  let left = 0;
  let done = () => {};
  const worker = new Worker("jobs", () => {
    if (--left === 0) done();
    return Promise.resolve();
  }, { connection, prefix, concurrency });
  await Promise.all([adds.waitUntilReady(), jobs.waitUntilReady(), worker.waitUntilReady()]);
  const data = (id: number) => ({ id, text: "an order of cheese" });
  return {
    add: (id) => adds.add("job", data(id)),
    async handle(count) {
      const handled = new Promise<void>((resolve) => done = resolve);
      left = count;
      await Promise.all(Array.from({ length: count }, (_, id) => jobs.add("job", data(id))));
      await handled;
    },
    async [Symbol.asyncDispose]() {
      await worker.close();
      await Promise.all([adds.close(), jobs.close()]);
    },
  };
}
