/** How a server is stopped. */
export interface StopOptions {
  /** Milliseconds for which it goes on answering, while `draining` says that no more should come. */
  drain: number;
  /** Milliseconds that requests have to end after that. */
  grace?: number;
}

/** The life of a server: until a signal ends it, and how. */
export class Lifetime {
  /** Whether the end has begun: whoever is asked whether it is ready says no. */
  draining = false;
  readonly #options: StopOptions;
  readonly #cut = new AbortController();

  constructor(options: StopOptions) {
    this.#options = options;
  }

  /** For `Deno.serve`: ends what has not ended in time. */
  get signal(): AbortSignal {
    return this.#cut.signal;
  }

  /** Waits for SIGTERM or SIGINT, lets the server finish what it is doing, and stops it. */
  async end(server: Deno.HttpServer): Promise<void> {
    await signalled(["SIGTERM", "SIGINT"]);
    this.draining = true;
    await sleep(this.#options.drain);
    const timer = setTimeout(() => this.#cut.abort(), this.#options.grace ?? 10_000);
    await Promise.race([server.shutdown(), server.finished]);
    clearTimeout(timer);
  }
}

async function signalled(signals: Deno.Signal[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const listener = () => resolve();
  for (const signal of signals) Deno.addSignalListener(signal, listener);
  await promise;
  for (const signal of signals) Deno.removeSignalListener(signal, listener);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
