import { stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import type { ConnectionChange, RedisClient, RedisCommand, RedisReply, Subscription } from "../../src/redis/client.ts";

/** One write and the means to answer it. */
export interface Write {
  readonly commands: readonly RedisCommand[];
  readonly resolve: (replies: RedisReply[]) => void;
  readonly reject: (error: unknown) => void;
}

/** A client whose server is the test: it answers each write when the test says so, or never. */
export class ScriptedClient implements RedisClient {
  readonly name: string = "scripted";
  connected: boolean = true;
  generation: number = 1;
  /** Answers each write at once, when set. */
  answer: ((command: RedisCommand) => RedisReply) | undefined;
  /** All writes so far. */
  readonly writes: Write[] = [];
  /** Why the connection was given up, each time. */
  readonly resets: Error[] = [];
  closed: number = 0;
  #listener: ((change: ConnectionChange) => void) | undefined;

  pipeline(commands: readonly RedisCommand[]): Promise<RedisReply[]> {
    if (!this.connected) throw new Error("there is no connection");
    const { promise, resolve, reject } = Promise.withResolvers<RedisReply[]>();
    this.writes.push({ commands, resolve, reject });
    const { answer } = this;
    if (answer) resolve(commands.map(answer));
    return promise;
  }

  /** The names of the commands of each write. */
  get names(): string[][] {
    return this.writes.map(({ commands }) => commands.map(({ name }) => name));
  }

  reset(reason: Error): void {
    this.resets.push(reason);
  }

  change(change: ConnectionChange): void {
    this.connected = change.state === "connected";
    if (this.connected) this.generation++;
    this.#listener?.(change);
  }

  subscribe(): Promise<Subscription> {
    return Promise.reject(new Error("not here"));
  }

  onChange(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

/** Fake timers, with `performance.now()` on the same clock. */
export class FakeClock implements Disposable {
  readonly #time = new FakeTime(1_000_000);
  readonly #now = stub(performance, "now", () => Date.now() - 1_000_000 + this.#late);
  #late = 0;

  /** Lets everything run that is not waiting for time to pass. */
  async settle(): Promise<void> {
    await this.#time.runMicrotasks();
  }

  /** Lets time pass, one millisecond after the other, as timers would see it. */
  async pass(milliseconds: number): Promise<void> {
    await this.#time.runMicrotasks();
    this.#time.tick(milliseconds);
    await this.#time.runMicrotasks();
  }

  /** Lets time pass as for a process that is busy: it comes to its timers so much later than they were due. */
  async passBusy(milliseconds: number, late: number): Promise<void> {
    await this.#time.runMicrotasks();
    this.beBusy(late);
    await this.pass(milliseconds);
  }

  /** Keeps the process from its timers for so long. */
  beBusy(milliseconds: number): void {
    this.#late += milliseconds;
  }

  [Symbol.dispose](): void {
    this.#now[Symbol.dispose]();
    this.#time[Symbol.dispose]();
  }
}

/** A promise and how it stands: its value, the `reason` or message of its error, or `"pending"`. */
export class Outcome {
  state: unknown = "pending";
  error: unknown;

  constructor(promise: Promise<unknown>) {
    promise.then((value) => this.state = value, (error) => {
      this.error = error;
      this.state = error.reason ?? error.message;
    });
  }
}
