import { unawaited } from "../util/callbacks.ts";
import type { Duration } from "../util/duration.ts";
import { assertTags } from "../util/keys.ts";
import type { LoadRequest } from "./load_request.ts";
import type { LifetimeOptions, LoaderContext } from "./options.ts";
import { type Policy, policyOf, ttlOf } from "./policy.ts";

/** What was there before a load, in this process for as long as it takes. */
export interface Previous<T> {
  /** The value, which the loader may change. */
  readonly value: T;
  /** The same, as it is stored. */
  readonly payload: Uint8Array;
  /** How that is encoded. */
  readonly flags: number;
  /** Its tags. */
  readonly tags: readonly string[];
}

/** What one run of a loader says and is told. */
export class Context<T> implements LoaderContext<T> {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly #previous: Previous<T> | undefined;
  #policy: Policy;
  #ttlOf: ((value: T) => Duration) | undefined;
  #tags: readonly string[] | ((value: T, key: string) => readonly string[]);
  #tagged = false;
  #kept = false;
  #skipped = false;

  constructor(key: string, previous: Previous<T> | undefined, signal: AbortSignal, request: LoadRequest<T>) {
    this.key = key;
    this.signal = signal;
    this.#previous = previous;
    this.#policy = request.policy;
    this.#ttlOf = request.ttl;
    this.#tags = request.tags;
    // So that they can be taken off: `({ skip }) => skip(1)`.
    this.notModified = this.notModified.bind(this);
    this.skip = this.skip.bind(this);
    this.setTtl = this.setTtl.bind(this);
    this.setTags = this.setTags.bind(this);
  }

  get stale(): T | undefined {
    return this.#previous?.value;
  }

  policy(value: T): Policy {
    return this.#ttlOf === undefined ? this.#policy : { ...this.#policy, ttl: ttlOf(unawaited(this.#ttlOf(value))) };
  }

  get skipped(): boolean {
    return this.#skipped;
  }

  /** What is to be kept as it is, if that is what the loader gave. */
  kept(value: unknown): Previous<T> | undefined {
    return this.#kept && Object.is(value, this.#previous!.value) ? this.#previous : undefined;
  }

  notModified(): unknown extends T ? never : T {
    if (!this.#previous) {
      throw new TypeError(`Cannot keep ${JSON.stringify(this.key)}: wanted a previous value, got none`);
    }
    this.#kept = true;
    return this.#previous.value as unknown extends T ? never : T;
  }

  skip<Skipped extends T>(value: Skipped): Skipped {
    this.#skipped = true;
    return value;
  }

  setTtl(ttl: Duration, windows: Pick<LifetimeOptions, "staleWhileRevalidate" | "staleIfError"> = {}): void {
    this.#policy = policyOf({ ttl, ...windows }, this.#policy);
    this.#ttlOf = undefined;
  }

  setTags(tags: readonly string[]): void {
    this.#tags = assertTags(tags, "set the tags");
    this.#tagged = true;
  }

  /** The tags of a value: those that it has, if it is kept and the loader has not set others. */
  tags(value: T, kept: Previous<T> | undefined): readonly string[] {
    if (kept && !this.#tagged) return kept.tags;
    return typeof this.#tags === "function"
      ? assertTags(unawaited(this.#tags(value, this.key)), "use the tags")
      : this.#tags;
  }
}
