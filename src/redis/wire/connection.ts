import { RedisError, UnavailableError } from "../../errors.ts";
import { isRefusedPing } from "../refusals.ts";
import type { RedisCommand, RedisReply, StringTaker } from "../client.ts";
import { decoder } from "../../util/utf8.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { CommandEncoder } from "./encoder.ts";
import { ProtocolError, ReplyParser, type ReplyTaker } from "./parser.ts";
import type { Socket } from "./socket.ts";

/** Commands that were sent together, and the replies that have come. */
interface Sent {
  /** What is to come back in front of the replies, where others were out when they were sent. */
  readonly mark: string | undefined;
  marked: boolean;
  /** How many bytes they are. */
  readonly size: number;
  readonly commands: readonly RedisCommand[];
  readonly replies: RedisReply[];
  readonly resolve: (replies: RedisReply[]) => void;
  readonly reject: (error: unknown) => void;
}

/** So many bytes are a sign that something is on its way, as opposed to a drop now and then. */
const PROGRESS = 16 * 1024;
/** With so many bytes of commands that are not answered, more would only wait in line. */
const CONGESTED = 256 * 1024;

/**
 * A connection to a server. Any number of writes may be out: replies come in the order of the commands, and those of a
 * connection are never taken for those of another. A write that goes out while others are has a mark in front, whose
 * reply shows that nothing was lost on the way: else each reply would be taken for the one before, for as long as there
 * are always some out.
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
  #movedAt = -Infinity;
  #moved = 0;
  #unanswered = 0;
  readonly #name = crypto.randomUUID();
  #marks = 0;
  /** Whether it keeps the process alive. */
  #held = true;
  /** Waits for what the server said before it closed the connection. */
  #last: ReturnType<typeof setTimeout> | undefined;

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
        this.#progress(size);
        parser.filled(size);
        if (this.#out.length === 0) this.#hold(this.#listener !== undefined);
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

  /** When replies were arriving last, by `performance.now()`. */
  get movedAt(): number {
    return this.#movedAt;
  }

  /** Whether so much was sent and is not answered that more would only wait in line. */
  get congested(): boolean {
    return this.#unanswered > CONGESTED;
  }

  /** Whether replies are awaited. */
  get busy(): boolean {
    return this.#out.length > 0;
  }

  /**
   * Sends commands in one write, and resolves to their replies; rejects with the reason when the connection ends
   * before.
   *
   * @param commands What is sent.
   * @param replies Where the replies are put as they come.
   */
  send(commands: readonly RedisCommand[], replies: RedisReply[] = []): Promise<RedisReply[]> {
    if (!this.#open) return Promise.reject(new UnavailableError("send commands", "connection"));
    if (commands.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const mark = this.#out.length > 0 ? `${this.#name}:${++this.#marks}` : undefined;
      const before = this.#filling.length;
      this.#filling.add(mark === undefined ? commands : [{ name: "PING", args: [mark] }, ...commands]);
      const size = this.#filling.length - before;
      this.#unanswered += size;
      this.#out.push({ mark, marked: mark === undefined, size, commands, replies, resolve, reject });
      this.#hold(true);
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

  /** Ends it. */
  close(reason: unknown): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#last);
    this.#socket.close();
    for (const { reject } of this.#out.splice(0)) reject(reason);
    this.#end(reason);
  }

  begins(): boolean | StringTaker {
    const first = this.#out[0];
    if (first) {
      if (!first.marked) return true;
      const { text, into } = first.commands[first.replies.length]!;
      return text === true || (into ?? false);
    }
    if (this.#listener) return false;
    throw new ProtocolError("one that nobody awaits");
  }

  take(reply: RedisReply): void {
    const first = this.#out[0];
    if (!first) return this.#listener?.(reply);
    if (!first.marked) {
      if (!isMark(reply, first.mark!)) throw new ProtocolError("one to another command");
      first.marked = true;
      return;
    }
    // It comes before the replies in front of it: those were lost, or the commands were.
    const next = this.#out[1];
    if (next && !(reply instanceof RedisError) && isMark(reply, next.mark!)) {
      throw new ProtocolError("one to a later command");
    }
    const { commands, replies, size, resolve } = first;
    if (replies.push(reply) < commands.length) return;
    this.#out.shift();
    this.#unanswered -= size;
    resolve(replies);
  }

  /** So many bytes have arrived. */
  #progress(size: number): void {
    this.#moved += size;
    if (this.#moved < PROGRESS) return;
    this.#moved = 0;
    this.#movedAt = performance.now();
  }

  /** Keeps the process alive or not. */
  #hold(held: boolean): void {
    if (held === this.#held || !this.#open) return;
    this.#held = held;
    this.#socket.hold(held);
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
      if (this.#open) this.#last = setTimeout(() => this.close(error), 0);
    } finally {
      this.#writing = false;
    }
  }
}

/** Whether a reply is that to a mark, also of a server that refuses it at present. */
function isMark(reply: RedisReply, mark: string): boolean {
  if (reply instanceof RedisError) return isRefusedPing(reply);
  if (typeof reply === "string") return reply === mark;
  return reply instanceof Uint8Array && reply.length === mark.length && decoder.decode(reply) === mark;
}
