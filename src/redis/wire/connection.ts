import { UnavailableError } from "../../errors.ts";
import type { RedisCommand, RedisReply } from "../client.ts";
import { setTimeout } from "../../util/real_timers.ts";
import { CommandEncoder } from "./encoder.ts";
import { ProtocolError, ReplyParser, type ReplyTaker } from "./parser.ts";
import type { Socket } from "./socket.ts";

/** Commands that were sent together, and the replies that have come. */
interface Sent {
  readonly commands: readonly RedisCommand[];
  readonly replies: RedisReply[];
  readonly resolve: (replies: RedisReply[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A connection to a server. Any number of writes may be out: replies come in the order of the commands, and those of a connection
 * are never taken for those of another.
 */
export class Connection implements ReplyTaker {
  /** Resolves when it is over, to the reason. */
  readonly ended: Promise<unknown>;
  readonly #socket: Socket;
  readonly #out: Sent[] = [];
  readonly #end: (reason: unknown) => void;
  /** Takes what comes without having been asked for. */
  #listener: ((reply: RedisReply) => void) | undefined;
  /** What is to be sent. */
  #filling = new CommandEncoder();
  /** What is being sent. */
  #sending = new CommandEncoder();
  #writing = false;
  #open = true;
  #arrivedAt = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.ended = promise;
    this.#end = resolve;
    const parser = new ReplyParser(this);
    const intake = {
      space: () => parser.space(),
      filled: (size: number) => {
        if (!this.#open) throw new UnavailableError("read replies", "closed");
        this.#arrivedAt = performance.now();
        parser.filled(size);
      },
    };
    socket.read(intake).then(
      () => this.close(new Error("The server closed the connection")),
      (error) => this.close(error),
    );
  }

  /** Whether it has not ended. */
  get open(): boolean {
    return this.#open;
  }

  /** When something arrived last, by `performance.now()`. */
  get arrivedAt(): number {
    return this.#arrivedAt;
  }

  /** Whether replies are awaited. */
  get busy(): boolean {
    return this.#out.length > 0;
  }

  /**
   * Sends commands in one write, and resolves to their replies; rejects with the reason when the connection ends before.
   *
   * @param commands What is sent.
   * @param replies Where the replies are put as they come.
   */
  send(commands: readonly RedisCommand[], replies: RedisReply[] = []): Promise<RedisReply[]> {
    if (!this.#open) return Promise.reject(new UnavailableError("send commands", "connection"));
    if (commands.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      this.#filling.add(commands);
      this.#out.push({ commands, replies, resolve, reject });
      if (!this.#writing) this.#write();
    });
  }

  /** From now on, what comes without having been asked for goes to a listener. */
  listen(listener: (reply: RedisReply) => void): void {
    this.#listener = listener;
  }

  /** Sends commands whose replies go to the listener. */
  tell(commands: readonly RedisCommand[]): void {
    if (!this.#open) return;
    this.#filling.add(commands);
    if (!this.#writing) this.#write();
  }

  /** Lets the process end although it is open. */
  unref(): void {
    this.#socket.unref();
  }

  /** Ends it. */
  close(reason: unknown): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
    for (const { reject } of this.#out.splice(0)) reject(reason);
    this.#end(reason);
  }

  begins(): boolean {
    const [first] = this.#out;
    if (first) return first.commands[first.replies.length]!.text === true;
    if (this.#listener) return false;
    throw new ProtocolError("one that nobody awaits");
  }

  take(reply: RedisReply): void {
    const [first] = this.#out;
    if (!first) return this.#listener?.(reply);
    const { commands, replies, resolve } = first;
    if (replies.push(reply) < commands.length) return;
    this.#out.shift();
    resolve(replies);
  }

  /** Sends what there is, and what comes meanwhile after it. */
  async #write(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#open && this.#filling.length > 0) {
        const encoder = this.#filling;
        this.#filling = this.#sending;
        this.#sending = encoder;
        await this.#socket.write(encoder.take());
        encoder.clear();
      }
    } catch (error) {
      // What the server said before it closed the connection may be on its way, and says why.
      setTimeout(() => this.close(error), 0);
    } finally {
      this.#writing = false;
    }
  }
}
