import type { Duration } from "../util/duration.ts";
import type { Failures } from "./failures.ts";
import type { Loader } from "./options.ts";
import type { LoadPolicy, Policy } from "./policy.ts";
import type { StandardSchema } from "../values/standard_schema.ts";

/** What a loader's run is to do, resolved from the options of `getOrSet`. */
export interface LoadRequest<T> extends LoadPolicy {
  /** The loader. */
  readonly loader: Loader<T>;
  /** How long the value is kept. */
  readonly policy: Policy;
  /** How long this very value is fresh; instead of the policy's ttl. */
  readonly ttl?: ((value: T) => Duration) | undefined;
  /** Its tags, or the function that gives them. */
  readonly tags: readonly string[] | ((value: T, key: string) => readonly string[]);
  /** What the value must fit. */
  readonly schema: StandardSchema<unknown, T> | undefined;
  /** Of which version it is. */
  readonly version: string | undefined;
  /** Whether to wait for another process that loads. */
  readonly lock: boolean;
  /** Whether what is there is not wanted. */
  readonly fresh: boolean;
  /**
   * Where it was asked for, so that what is odd there is said once: a definition, a function, or the text of the
   * loader.
   */
  readonly site: object;
  /** Whether the caller knows what to do with an {@linkcode AbsentError}. */
  readonly absent?: boolean;
  /** Told that loaders wait for each other, where the caller goes on waiting because of a deadline of its own. */
  readonly onCycle?: ((error: unknown) => void) | undefined;
  /** Told when the store has answered what it has, or has failed. */
  readonly asked?: () => void;
  /** Takes what fails, where the call is for many keys. */
  readonly failures?: Failures;
}

/** There is nothing under this key, which is nobody's fault and is not kept. */
export class AbsentError extends Error {
  override readonly name: string = "AbsentError";
}

const SITE = Symbol("site");

/** Notes in options of a call on whose behalf it is made. */
export function onBehalfOf<Options extends object>(site: object, options: Options): Options {
  return { ...options, [SITE]: site };
}

/** Where a load was asked for. */
export function siteOf(loader: object, options: object): object {
  return (options as { [SITE]?: object })[SITE] ?? loader;
}
