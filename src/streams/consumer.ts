import { UnavailableError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import { tracesMessages } from "../observe/telemetry.ts";
import { reconnectDelay } from "../redis/backoff.ts";
import { isPassing } from "../redis/refusals.ts";
import type { MessageCodec } from "../values/message_codec.ts";
import type { StandardSchema } from "../values/standard_schema.ts";
import { Appetite } from "./appetite.ts";
import { Bell } from "./bell.ts";
import { Fetcher } from "./fetcher.ts";
import { Hand } from "./hand.ts";
import { gapItem, type StreamItem } from "./item.ts";
import type { Consuming } from "./options.ts";
import { Places } from "./places.ts";
import type { StreamCounts } from "./stats.ts";
import type { StreamStore } from "./store.ts";
import type { HeldPlace, Work } from "./work.ts";

/** How soon it is looked for more where words may be missed, in milliseconds. */
const DEAF = 500;
/** How soon where none should be: well before a store forgets that somebody waits. */
const NET = 20_000;

/** What a consumer needs. */
export interface ConsumerParts<Value> extends Consuming {
  readonly store: StreamStore;
  readonly stream: string;
  readonly group: string;
  readonly maxDead: number;
  readonly codec: MessageCodec;
  readonly schema: StandardSchema<unknown, Value> | undefined;
  readonly counts: StreamCounts;
  readonly on: EventListener | undefined;
  /** Whether a handler takes the messages, which is waited for, or a loop. */
  readonly handler: boolean;
  /** Called when it has ended. */
  readonly ended: () => void;
}

/** A consumer of a group: fetches messages, and hands them out one by one. */
export class GroupConsumer<Value> {
  readonly #parts: ConsumerParts<Value>;
  readonly #places: Places;
  readonly #hand: Hand;
  readonly #fetcher: Fetcher;
  readonly #bell = new Bell();
  readonly #gaps: StreamItem<Value>[] = [];
  readonly #running: Promise<void>;
  #listening: Promise<AsyncDisposable | undefined>;
  #live = false;
  #stopping = false;
  #over = false;
  #error: unknown;
  #told = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #idle = false;
  #ended: Promise<void> | undefined;

  constructor(parts: ConsumerParts<Value>, signal: AbortSignal | undefined) {
    this.#parts = parts;
    const { store, stream, group, lease, concurrency, batch, counts } = parts;
    const lost = (place: HeldPlace) => {
      const count = this.#hand.lose(place);
      if (count > 0) parts.on?.({ type: "stream.lost", stream, group, count });
      this.#bell.ring();
    };
    this.#places = new Places({ store, stream, group, lease, lost });
    const appetite = new Appetite(concurrency, batch);
    this.#hand = new Hand({
      ...{ ...parts, owner: this.#places.owner, again: this.#again },
      changed: () => this.#bell.ring(),
      handled: () => appetite.handled(),
    });
    this.#fetcher = new Fetcher({
      ...{ ...parts, places: this.#places, hand: this.#hand, appetite },
      gap: (reason, missing) => this.#gap(reason, missing),
      hunger: () => this.#hunger(),
    });
    counts.consumers++;
    const listener = {
      wake: (left: boolean) => void (left ? this.#beat() : undefined, this.#hunger()),
      ready: () => void (this.#live = true, this.#hunger()),
      lost: () => void (this.#live = false),
    };
    this.#listening = store.listen(stream, listener).catch((error) => void this.#fail(error));
    this.#running = this.#run();
    this.#beat(); // somebody may have left
    this.#tick();
    const abort = () => void (parts.handler ? this.shutdown() : this.#stop());
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    this.#running.then(() => signal?.removeEventListener("abort", abort));
  }

  /** The next message, when there is one and it may be handled; nothing when it is over. */
  next(): Promise<StreamItem<Value> | undefined> {
    const next = this.#turn.then(() => this.#next());
    this.#turn = next.catch(() => {});
    return next;
  }

  /** Takes nothing more, and ends when what is in hand is done with. */
  async shutdown(): Promise<void> {
    this.#stopping = true;
    this.#bell.ring();
    while (this.#hand.begun > 0 && !this.#over) await this.#bell.wait();
    await this.end();
  }

  /** Ends it at once: what is not acknowledged goes to others. */
  end(): Promise<void> {
    return this.#ended ??= this.#end();
  }

  #stop(): void {
    this.#stopping = true;
    this.#bell.ring();
    // A loop that waits for more is done with what it had; else it is once it asks for more.
    if (this.#idle || this.#hand.begun === 0) void this.end();
  }

  async #next(): Promise<StreamItem<Value> | undefined> {
    for (;;) {
      const gap = this.#over ? undefined : this.#gaps.shift();
      if (gap) return gap;
      if (this.#over || this.#stopping || this.#error !== undefined) {
        const error = this.#over ? undefined : this.#error;
        // A loop that asks for more is done with what it had.
        if (!this.#parts.handler || this.#error !== undefined) await this.end();
        this.#error = undefined;
        if (error !== undefined) throw error;
        return undefined;
      }
      const work = this.#hand.begun < this.#parts.concurrency ? this.#hand.shift() : undefined;
      if (work) {
        this.#bell.ring(); // there is room
        const item = await this.#begin(work);
        if (item) return item;
        continue;
      }
      this.#idle = true;
      await this.#bell.wait();
      this.#idle = false;
    }
  }

  /** Begins with a message, if it is still this consumer's. */
  async #begin(work: Work): Promise<StreamItem<Value> | undefined> {
    const { store, stream, group, codec, schema, maxAttempts, counts, on, handler } = this.#parts;
    const { place, entry } = work;
    const at = { stream, group, place: place.name, owner: this.#places.owner };
    try {
      // The first that runs after a pause knows that the place may be another's.
      if (performance.now() >= place.until) await this.#places.beat();
      if (!place.works.has(work)) return undefined;
      const counted = !work.uncounted || await store.retry(at, entry.id, work.attempt);
      if (counted === undefined) return void this.#places.lose(place);
      if (!counted) return void this.#drop(work);
      work.uncounted = false;
    } catch (error) {
      this.#hand.again(work);
      if (!await this.#again(error, 0)) throw error;
      return undefined;
    }
    const refused = entry.payload ? undefined : ["It was written by something else"];
    const read = refused ? { issues: refused } : await codec.decode(entry.payload!, schema);
    if (!place.works.has(work) || this.#over) return undefined;
    const message = this.#hand.begin(work);
    if (work.attempt > maxAttempts) {
      void message.deadLetter(work.error ?? "Its consumer died").catch(() => {});
      return undefined;
    }
    if ("issues" in read) {
      counts.refused++;
      on?.({ type: "stream.refused", stream, group, id: entry.id, issues: read.issues });
      if (!handler) return { ...message, issues: read.issues };
      void message.deadLetter(`It does not fit: ${read.issues.join("; ")}`).catch(() => {});
      return undefined;
    }
    if (read.headers && !handler) tracesMessages()?.received("streams.consume", read.headers);
    return { ...message, ...read };
  }

  /** Somebody else is done with it; what else is in hand is still this consumer's. */
  #drop(work: Work): void {
    const { stream, group, on } = this.#parts;
    this.#hand.drop(work);
    on?.({ type: "stream.lost", stream, group, count: 1 });
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopping && !this.#over;) {
      try {
        const rung = this.#bell.wait(); // what rings meanwhile is heard
        if (!await this.#fetcher.step()) {
          await rung;
          continue;
        }
        failures = 0;
        this.#told = false;
        this.#bell.ring();
      } catch (error) {
        if (!await this.#again(error, failures++)) return this.#over ? undefined : this.#fail(error);
      }
    }
  }

  #gap(reason: "trimmed" | "lost", missing: number | undefined): void {
    const { counts, on, stream, group, handler } = this.#parts;
    counts.gaps++;
    on?.({ type: "stream.gap", stream, group, reason, ...(missing !== undefined && { missing }) });
    if (!handler) this.#gaps.push(gapItem(reason, missing));
    this.#bell.ring();
  }

  /** After a failure, waits before something is tried again; tells whether it is. */
  readonly #again = async (error: unknown, attempt: number): Promise<boolean> => {
    if (this.#over || !isPassing(error)) return false;
    const { on, stream, group } = this.#parts;
    if (!this.#told) on?.({ type: "stream.error", stream, group, error });
    this.#told = true;
    const until = performance.now() + reconnectDelay(attempt);
    const timer = setTimeout(() => this.#bell.ring(), until - performance.now() + 1);
    while (performance.now() < until && !this.#over) await this.#bell.wait();
    clearTimeout(timer);
    return !this.#over;
  };

  readonly #tick = (): void => {
    const { lease } = this.#parts;
    if (this.#over) return;
    this.#timer = setTimeout(() => {
      this.#beat();
      this.#hunger();
      this.#tick();
    }, Math.min(lease / 3, this.#live ? NET : DEAF));
  };

  #beat(): void {
    if (this.#over) return;
    this.#places.beat().then(() => this.#bell.ring(), () => {}); // what fails is tried again with the next
  }

  /** There may be something to take. */
  #hunger(): void {
    for (const place of this.#places.all.values()) place.hungry = true;
    this.#bell.ring();
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    this.#stopping = true;
    this.#bell.ring();
  }

  async #end(): Promise<void> {
    const { store, stream, group, counts, ended } = this.#parts;
    this.#stopping = this.#over = true;
    clearTimeout(this.#timer);
    this.#fetcher.end();
    this.#bell.ring();
    await Promise.all([this.#running, this.#hand.idle()]);
    const listening = await this.#listening;
    await listening?.[Symbol.asyncDispose]();
    const untouched = this.#hand.end(new UnavailableError(`go on with a message of stream "${stream}"`, "closed"));
    await Promise.all([...this.#places.all.values()].map(async (place) => {
      if (place.until === 0) return;
      const at = { stream, group, place: place.name, owner: this.#places.owner };
      await store.leave(at, untouched.get(place) ?? [], false).catch(() => {}); // its time ends by itself then
    }));
    counts.consumers--;
    ended();
  }
}
