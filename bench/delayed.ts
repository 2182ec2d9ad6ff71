import type { RedisServer } from "../tests/support/redis_server.ts";

/** A server behind a slow network. */
export interface Delayed extends Disposable {
  /** Where it is. */
  readonly url: string;
}

/** Puts a proxy in front of the server that holds what it gets for so many milliseconds in each direction. */
export async function delayed(server: RedisServer, delay: number): Promise<Delayed> {
  const worker = new Worker(import.meta.resolve("./delay_worker.ts"), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => reject(event.error ?? new Error(event.message));
  worker.postMessage({ hostname: server.hostname, port: server.port, delay });
  const url = new URL(server.url);
  url.hostname = "127.0.0.1";
  url.port = String(await promise);
  return { url: url.href, [Symbol.dispose]: () => worker.terminate() };
}
