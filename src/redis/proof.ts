import { clearTimeout, queueMicrotask, setTimeout } from "../util/real_timers.ts";
import { unref } from "../util/timers.ts";

/** How soon a first proof that did not arrive is sent again, in milliseconds. */
const PROOF_RETRY = 50;
/** How soon a later one is asked for again at the latest. */
const MISSING = 1000;

/** Sends proofs of life through the server, and gives the connection up when they do not come back. */
export class Proof {
  readonly #send: (text: string) => Promise<void>;
  readonly #giveUp: () => void;
  readonly #every: number;
  #sent = 0;
  #arrived = 0;
  #misses = 0;
  #waiting: { sent: number; resolve: (proven: boolean) => void }[] = [];
  #shared: Promise<boolean> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Starts at once.
   *
   * @param send Publishes a text that comes back to {@linkcode Proof.seen}.
   * @param giveUp Called when nothing comes back.
   * @param every How often, in milliseconds.
   */
  constructor(send: (text: string) => Promise<void>, giveUp: () => void, every: number) {
    this.#send = send;
    this.#giveUp = giveUp;
    this.#every = every;
    this.#next(0);
  }

  /** Whether all that was published before has arrived. Who asks in the same tick shares a message. */
  prove(): Promise<boolean> {
    if (this.#shared) return this.#shared;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const sent = ++this.#sent;
    this.#waiting.push({ sent, resolve });
    this.#send(String(sent)).catch(() => {}); // what does not arrive is found out by the clock
    this.#shared = promise;
    queueMicrotask(() => this.#shared = undefined);
    return promise;
  }

  /** A proof came back. */
  seen(sent: number): void {
    this.#arrived = Math.max(this.#arrived, sent);
    this.#misses = 0;
    this.#waiting = this.#waiting.filter((waiting) => {
      if (waiting.sent > sent) return true;
      waiting.resolve(true);
      return false;
    });
    clearTimeout(this.#timer);
    this.#next(this.#every);
  }

  /** Something else arrived: the connection is there, and a proof that is late waits behind that. */
  alive(): void {
    this.#misses = 0;
  }

  /** Ends: what was not proven is not. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { resolve } of this.#waiting) resolve(false);
    this.#waiting = [];
  }

  #next(milliseconds: number): void {
    const timer = this.#timer = setTimeout(() => {
      if (timer !== this.#timer) return; // Deno 2.1 calls back although it was cleared, when it was due already
      // The first proof may overtake the subscription itself, so it gets more tries.
      if (++this.#misses > (this.#arrived > 0 ? 2 : 40)) return this.#giveUp();
      this.#send(String(++this.#sent)).catch(() => {});
      this.#next(this.#arrived > 0 ? Math.min(this.#every / 5, MISSING) : PROOF_RETRY);
    }, milliseconds);
    unref(timer);
  }
}
