import { problem } from "../catalogue/problem.ts";

/** What is sent to those who watch: a name and data, as in Server-Sent Events. */
export type Message = readonly [event: string, data: unknown];

/** How many may watch at the same time. */
const MOST_WATCHERS = 32;
/** Bytes that wait for a watcher who does not read, before it is given up. */
const BACKLOG = 256 * 1024;

const encoder = new TextEncoder();

type Controller = ReadableStreamDefaultController<Uint8Array>;

/** Sends what happens to all who watch, as Server-Sent Events (HTML Living Standard, section 9.2). */
export class Feed {
  /** Called when the first comes and when the last has gone. */
  onWatched: (watched: boolean) => void = () => {};
  readonly #watchers = new Set<Controller>();
  #closed = false;

  /** Answers who wants to watch; `first` is what they are told to begin with. */
  open(first: readonly Message[]): Response {
    if (this.#closed || this.#watchers.size >= MOST_WATCHERS) {
      return problem(503, "Too many are watching, or this is the end", { "retry-after": "5" });
    }
    let watcher: Controller;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        watcher = controller;
        controller.enqueue(encoder.encode("retry: 1000\n\n"));
        for (const message of first) controller.enqueue(bytesOf(message));
        this.#watchers.add(controller);
        if (this.#watchers.size === 1) this.onWatched(true);
      },
      cancel: () => this.#drop(watcher),
    }, new ByteLengthQueuingStrategy({ highWaterMark: BACKLOG }));
    return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
  }

  /** Sends a message to all. */
  send(...message: Message): void {
    if (this.#watchers.size === 0) return;
    const bytes = bytesOf(message);
    for (const watcher of [...this.#watchers]) {
      if ((watcher.desiredSize ?? 0) > 0) {
        watcher.enqueue(bytes);
      } else {
        this.#drop(watcher);
        watcher.error(new Error("It does not read what it is sent"));
      }
    }
  }

  /** Ends all watching, and lets nobody in any more. */
  close(): void {
    this.#closed = true;
    for (const watcher of [...this.#watchers]) {
      this.#drop(watcher);
      watcher.close();
    }
  }

  #drop(watcher: Controller): void {
    if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.onWatched(false);
  }
}

function bytesOf([event, data]: Message): Uint8Array {
  return encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
