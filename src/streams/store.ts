import type { ClosedBy } from "../errors.ts";

/** A message as it is kept. */
export interface StreamEntry {
  /** Its id: when it was added, in milliseconds, and a number. Ids of a stream only grow. */
  readonly id: string;
  /** What was written; nothing where somebody else has put something there. */
  readonly payload: Uint8Array | undefined;
  /** Messages of one key are handled one after the other. */
  readonly key: string | undefined;
  /** Grows by one with each that is added; nothing where somebody else has put something there. */
  readonly number: bigint | undefined;
}

/** A message that is handed to a consumer. */
export interface TakenEntry extends StreamEntry {
  /** How often it was handed out, this time among them. */
  readonly attempt: number;
}

/**
 * From which attempt on a message that is taken over is handed out by itself, one at a time for a consumer: it was in
 * hand when two have died, and may be what kills them. What was in hand beside it must not become a dead letter, too.
 */
export const SUSPECT = 3;

/** What is added. */
export interface AddRequest {
  /** The name of the stream. */
  readonly stream: string;
  /** What was written. */
  readonly payload: Uint8Array;
  /** The key by which order is kept. */
  readonly key: string | undefined;
  /** How many messages are kept, roughly. */
  readonly maxLength: number | undefined;
  /** A name under which it is added once, and for how many milliseconds that is remembered. */
  readonly once: { readonly id: string; readonly for: number } | undefined;
}

/** A place of a group: what is pending there is handed to one consumer. It outlives who dies. */
export interface Place {
  /** The name of the stream. */
  readonly stream: string;
  /** The name of the group. */
  readonly group: string;
  /** The name of the place. */
  readonly place: string;
  /** Who holds it. */
  readonly owner: string;
}

/** What a consumer asks for. */
export interface TakeRequest extends Place {
  /** Milliseconds that the place is held without being extended. */
  readonly lease: number;
  /** How many messages. */
  readonly wanted: number;
  /** What is pending in the place up to this id is in hand. */
  readonly after: string;
  /** Where a group begins that is not there; nothing where only what is pending is wanted. */
  readonly from: string | undefined;
  /** How many messages of the group may be pending. */
  readonly most: number;
  /** Ids behind `after` that are in hand all the same. */
  readonly inHand: readonly string[];
  /** Whether an attempt was counted already of what is pending there, by a call whose answer was lost. */
  readonly counted: boolean;
  /** Whether it holds the place and has messages in hand: if nobody holds it, another has had it, and is done. */
  readonly holds: boolean;
}

/** What a consumer is given. */
export interface TakeAnswer {
  /** Whether the place is held by it. */
  readonly held: boolean;
  /** The messages, by their ids. */
  readonly entries: readonly TakenEntry[];
  /** Up to which id all of the place is in hand now. */
  readonly after: string;
  /** Whether the group was not there, and is now. */
  readonly made: boolean;
  /** How many were pending and are not kept any more. */
  readonly dropped: number;
  /** How many were never read and are not kept any more. */
  readonly missed: number;
  /** Whether there was nothing more: there is a word when that changes. */
  readonly empty: boolean;
  /** Whether too many are pending. */
  readonly full: boolean;
}

/** A message that is done with. */
export interface Settled {
  /** Its id. */
  readonly id: string;
  /** Its key. */
  readonly key: string | undefined;
}

/** A message that was given up. */
export interface DeadRequest extends Settled {
  /** What was written. */
  readonly payload: Uint8Array | undefined;
  /** How often it was tried. */
  readonly attempts: number;
  /** Why it was given up. */
  readonly error: string;
  /** How many of the stream are kept, roughly. */
  readonly most: number;
}

/** A message that was given up, as it is kept. */
export interface DeadEntry extends StreamEntry {
  /** The id that it had in the stream. */
  readonly original: string;
  /** The group that gave it up. */
  readonly group: string;
  /** How often it was tried. */
  readonly attempts: number;
  /** Why it was given up. */
  readonly error: string;
  /** When, in milliseconds. */
  readonly at: number;
}

/** What a consumer asks for, to stay alive. */
export interface BeatRequest {
  /** The name of the stream. */
  readonly stream: string;
  /** The name of the group. */
  readonly group: string;
  /** Who asks. */
  readonly owner: string;
  /** Milliseconds that a place is held without being extended. */
  readonly lease: number;
  /** The places that it holds. */
  readonly places: readonly string[];
}

/** What a consumer is told. */
export interface BeatAnswer {
  /** Of each place, whether it is still held. */
  readonly held: readonly boolean[];
  /** A place that nobody held any more, and is its own from now on. */
  readonly adopted: string | undefined;
}

/** Which messages are read. */
export interface ReadRequest {
  /** The name of the stream. */
  readonly stream: string;
  /** The first id, or `(` and the one before it. */
  readonly from: string;
  /** The last id. */
  readonly to: string;
  /** How many. */
  readonly limit: number;
  /** Whether there shall be a word when there is more. */
  readonly watch: boolean;
}

/** A message that is pending. */
export interface PendingEntry {
  /** Its id. */
  readonly id: string;
  /** The place where it is. */
  readonly consumer: string;
  /** Milliseconds since it was handed out. */
  readonly idle: number;
  /** How often it was handed out. */
  readonly attempts: number;
}

/** What is known of a group. */
export interface GroupInfo {
  /** Its name. */
  readonly name: string;
  /** How many messages are handed out and not done with. */
  readonly pending: number;
  /** How many messages were not handed out yet, if that is known. */
  readonly waiting: number | undefined;
  /** The id of the last message that was handed out. */
  readonly lastId: string;
}

/** What is known of a stream. */
export interface StreamInfo {
  /** How many messages it keeps. */
  readonly length: number;
  /** How many were given up, and are kept. */
  readonly dead: number;
  /** The id of the first message. */
  readonly firstId: string | undefined;
  /** The id of the last message. */
  readonly lastId: string | undefined;
  /** Its groups. */
  readonly groups: readonly GroupInfo[];
}

/** Told when there may be something to take. */
export interface StreamListener {
  /** There is. With `left`, a place was given back. */
  wake(left: boolean): void;
  /** From now on no word is missed. */
  ready(): void;
  /** Words may be missed until `ready` comes. */
  lost(): void;
}

/** Where streams are. Each call is one atomic step, by the clock of the store. */
export interface StreamStore extends AsyncDisposable {
  /** What kind of store it is. */
  readonly kind: "memory" | "redis";
  /** It rises when what is kept may be older than what was answered: after a restart. */
  readonly generation: number;
  /**
   * Adds a message; gives its id, and whether it was not there.
   *
   * @throws {UnavailableError} If the store does not answer in time, as all calls.
   */
  add(request: AddRequest, signal?: AbortSignal): Promise<{ readonly id: string; readonly added: boolean }>;
  /** Takes messages. */
  take(request: TakeRequest): Promise<TakeAnswer>;
  /** Is done with messages; tells of each whether it was pending, or nothing where the place is another's. */
  ack(place: Place, settled: readonly Settled[]): Promise<readonly boolean[] | undefined>;
  /** Counts one more attempt; tells whether it is pending, or nothing where the place is another's. */
  retry(place: Place, id: string, attempt: number): Promise<boolean | undefined>;
  /** Gives a message up; tells whether it was pending. */
  bury(place: Place, dead: DeadRequest): Promise<boolean>;
  /** Keeps places alive, and takes over one that nobody holds. */
  beat(request: BeatRequest): Promise<BeatAnswer>;
  /**
   * Gives a place back; with `drained` only if nothing is pending there, and that is told. Of messages that nobody has
   * begun with, the attempt does not count.
   */
  leave(place: Place, untouched: readonly TakenEntry[], drained: boolean): Promise<boolean>;
  /** Reads messages. */
  read(request: ReadRequest, signal?: AbortSignal): Promise<readonly StreamEntry[]>;
  /** What is pending in a group, and since when. */
  pending(stream: string, group: string, limit: number, signal?: AbortSignal): Promise<readonly PendingEntry[]>;
  /** What is known of a stream. */
  info(stream: string, signal?: AbortSignal): Promise<StreamInfo>;
  /** Removes messages: the oldest, so that so many are left; those before an id; or what all groups are done with. */
  trim(
    stream: string,
    to: { readonly length: number } | { readonly before: string } | "handled",
    signal?: AbortSignal,
  ): Promise<number>;
  /** Reads what was given up. */
  dead(request: Omit<ReadRequest, "watch">, signal?: AbortSignal): Promise<readonly DeadEntry[]>;
  /** Adds again what was given up, for the group that did; gives its new id. */
  revive(stream: string, id: string, signal?: AbortSignal): Promise<string | undefined>;
  /** Removes what was given up; tells how many there were. */
  discard(stream: string, ids: readonly string[], signal?: AbortSignal): Promise<number>;
  /** Listens for words that there is something to take. */
  listen(stream: string, listener: StreamListener): Promise<AsyncDisposable>;
  /** Ends it. */
  [Symbol.asyncDispose](by?: ClosedBy): PromiseLike<void>;
}
