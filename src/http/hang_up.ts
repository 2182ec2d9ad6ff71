/** What reads on behalf of a visitor end with when he has hung up. */
export const HUNG_UP: Error = new Error("Cannot answer: the visitor has hung up");
/** What is answered then, for logs: nobody gets it. */
const STATUS = 499;
/**
 * Milliseconds after which it is looked whether the visitor is still there. Deno writes a warning where the signal of a
 * request that is answered was as much as looked at, and most reads have long ended.
 */
const LOOK_AFTER = 20;

/**
 * Ends what is read for a visitor when he hangs up. A load that has begun is for all who ask for the same, so it is
 * none of that; nor is what a load reads itself, which has no visitor.
 */
export class HangUp {
  readonly #visitor: () => AbortSignal;
  readonly #within: boolean;
  readonly #gone = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watched: AbortSignal | undefined;
  #own: { readonly started: boolean } | undefined;

  /** `visitor` gives a signal that is aborted when he hangs up; `within` = it is read within a load. */
  constructor(visitor: () => AbortSignal, within: boolean) {
    this.#visitor = visitor;
    this.#within = within;
    this.#arm();
  }

  /** Ends reads. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** What follows is ended until this load of the visitor's own has begun. */
  until(load: { readonly started: boolean }): AbortSignal {
    this.#own = load;
    if (this.#watched?.aborted) this.#end();
    this.#arm();
    return this.#gone.signal;
  }

  /** Nothing more is read for the visitor. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#watched?.removeEventListener("abort", this.#end);
  }

  #arm(): void {
    if (this.#within || this.#watched) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), LOOK_AFTER);
  }

  #look(): void {
    if (this.#own?.started) return;
    this.#watched = this.#visitor();
    if (this.#watched.aborted) this.#end();
    else this.#watched.addEventListener("abort", this.#end, { once: true });
  }

  readonly #end = (): void => {
    if (!this.#own?.started) this.#gone.abort(HUNG_UP);
  };
}

/** Answers who has hung up: no error, which would be told in logs. */
export function answerToNobody(): Response {
  return new Response(null, { status: STATUS, headers: { "cache-control": "no-store" } });
}
