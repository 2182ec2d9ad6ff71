import { tracesMessages } from "../observe/telemetry.ts";
import { unawaited } from "../util/callbacks.ts";
import type { GroupConsumer } from "./consumer.ts";
import type { HandledMessage } from "./item.ts";

/** What is done with a message. What it throws has the message tried again. */
export type StreamHandler<Value> = (message: HandledMessage<Value>) => unknown;

/** A handler at work. Disposing of it is `shutdown()`. */
export interface StreamWorker extends AsyncDisposable {
  /** Resolves when it has ended; rejects if it cannot go on, as when the key is of somebody else. */
  readonly done: Promise<void>;
  /** Takes nothing more, and resolves when what is being handled is done with. */
  shutdown(): Promise<void>;
}

/** Runs a handler for each message of a consumer. */
export class Worker<Value> implements StreamWorker {
  readonly done: Promise<void>;
  readonly #consumer: GroupConsumer<Value>;
  readonly #handler: StreamHandler<Value>;
  readonly #settling = new Set<Promise<unknown>>();

  constructor(consumer: GroupConsumer<Value>, handler: StreamHandler<Value>, concurrency: number) {
    this.#consumer = consumer;
    this.#handler = handler;
    this.done = this.#run(concurrency);
    unawaited(this.done); // who does not look at it does not end the process
  }

  async shutdown(): Promise<void> {
    await this.#consumer.shutdown();
    await this.done.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #run(concurrency: number): Promise<void> {
    const loops = await Promise.allSettled(Array.from({ length: concurrency }, () => this.#loop()));
    await Promise.all(this.#settling);
    await this.#consumer.end();
    const failed = loops.find((loop) => loop.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #loop(): Promise<void> {
    for (;;) {
      const message = await this.#consumer.next();
      if (!message) return;
      if (message.gap || message.issues) continue; // they are told as events
      this.#settle(await this.#handle(message));
    }
  }

  async #handle(message: HandledMessage<Value>): Promise<Promise<unknown>[]> {
    try {
      const handle = async () => void await this.#handler(message);
      await (tracesMessages()?.process("streams.consume", message.headers, handle) ?? handle());
      return [message.ack()];
    } catch (error) {
      return [message.retry(error)];
    }
  }

  /** The next may begin while the store is told. */
  #settle([settling]: Promise<unknown>[]): void {
    const settled = settling!.catch(() => {}).finally(() => this.#settling.delete(settled));
    this.#settling.add(settled);
  }
}
