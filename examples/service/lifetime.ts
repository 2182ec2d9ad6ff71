import { shutDown, signalled } from "./shutdown.ts";

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

  constructor(options: StopOptions) {
    this.#options = options;
  }

  /** Waits for SIGTERM or SIGINT, and lets the server finish what it is doing, if that does not take too long. */
  async end(server: Deno.HttpServer): Promise<void> {
    await signalled();
    this.draining = true;
    await sleep(this.#options.drain);
    await shutDown(server, this.#options.grace ?? 10_000);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
