import type { Batch } from "../../redis/batch.ts";
import { connectionText } from "../../redis/connection_text.ts";
import { KeyWaiters } from "../key_waiters.ts";
import type { ChangeListener, Changes, Watch } from "../store.ts";
import { ChangeChannel, type ChangeChannelListener } from "./change_channel.ts";
import { Doubts } from "./doubts.ts";
import type { Slots } from "./slots.ts";

const OPERATION = "hear of changes";

/** Ends the channels of stores that nobody uses any more. */
const CHANNELS = new FinalizationRegistry<ChangeChannel>((channel) =>
  void channel[Symbol.asyncDispose]().catch(() => {})
);

/** Tells what changed, by this process or another: who waits for a key, and the copies in this process. */
export class ChangeFeed implements AsyncDisposable {
  readonly #slots: Slots;
  readonly #replay: { readonly behind: boolean };
  readonly #waiters = new KeyWaiters();
  readonly #channel: ChangeChannel;
  readonly #doubts: Doubts;
  #copies: ChangeListener | undefined;

  constructor(
    batch: Batch,
    namespace: string,
    slots: Slots,
    replay: { readonly behind: boolean },
  ) {
    const { client, diagnosis } = batch;
    this.#slots = slots;
    this.#replay = replay;
    this.#doubts = new Doubts(() => slots.look(), () => this.changedAll());
    this.#channel = new ChangeChannel(client, namespace, listenerOf(new WeakRef(this), client.name, diagnosis));
    CHANNELS.register(this, this.#channel);
  }

  /** An entry may have been written, removed or given up. */
  received(key: string): void {
    this.#waiters.notify(key);
    this.changed(key);
  }

  /**
   * A tag may have been invalidated; without one, a pattern. Who has no copies hears of it with the next read; of a
   * pattern, who waits for a loader looks again at once.
   */
  receivedInvalidation(tag: string | undefined): void {
    if (this.#copies) this.#doubts.add(tag);
    if (tag === undefined) this.#waiters.notifyAll();
  }

  /** Copies and waiting readers have to look again. */
  lookAgain(): void {
    this.#waiters.notifyAll();
    this.changedAll();
  }

  /** Reads what is new in the records. */
  look(): Promise<string> {
    return this.#slots.look();
  }

  /** Waits for a change of a key. */
  watch(key: string): Watch {
    this.#channel.start();
    return this.#waiters.watch(key, () => this.#channel.live);
  }

  /** Tells copies of changes from now on. */
  start(copies: ChangeListener): Changes {
    this.#copies = copies;
    this.#channel.start();
    return {
      // What waits to be replayed was invalidated here, but the copies do not know.
      inTouch: (now) => this.#channel.inTouch(now) && !this.#replay.behind,
      judge: (key, entry) => {
        return this.#doubts.about(entry.tags) ? "unknown" : this.#slots.of(key).known.judge(key, entry);
      },
    };
  }

  /** This process has changed a key, or may have. */
  changed(key: string): void {
    this.#copies?.key(key);
  }

  /** This process has changed everything. */
  changedAll(): void {
    this.#copies?.all();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiters.notifyAll();
    await this.#channel[Symbol.asyncDispose]();
  }
}

/** What hears of changes. It does not hold the feed: of a store that nobody uses any more, that is forgotten too. */
function listenerOf(
  feed: WeakRef<ChangeFeed>,
  client: string,
  diagnosis: Batch["diagnosis"],
): ChangeChannelListener {
  const lookAgain = () => feed.deref()?.lookAgain();
  return {
    key: (key) => feed.deref()?.received(key),
    invalidated: (tag) => feed.deref()?.receivedInvalidation(tag),
    all: lookAgain,
    look: () => feed.deref()?.look() ?? Promise.resolve(""),
    ready: () => {
      diagnosis.worked(OPERATION);
      lookAgain();
    },
    lost: lookAgain,
    refused: (error) => diagnosis.refused(OPERATION, error),
    failed: (reason) => diagnosis.warn(deafness(client, reason)),
  };
}

/** Why no copies are served in this process. */
function deafness(client: string, reason: unknown): string {
  const why = reason === undefined ? "" : `: ${connectionText(reason)}`;
  return `The client ${client} cannot subscribe to changes, so no copies in the process are served${why}`;
}
