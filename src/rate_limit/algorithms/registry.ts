import type { Algorithm } from "../store.ts";
import type { AlgorithmDefinition } from "./algorithm.ts";
import { EXACT } from "./exact.ts";
import { FIXED_WINDOW } from "./fixed_window.ts";
import { GCRA } from "./gcra.ts";
import { SLIDING_WINDOW } from "./sliding_window.ts";

/** All algorithms by their names. What there is of them elsewhere, in the script and in memory, comes from here. */
export const ALGORITHMS: Readonly<Record<Algorithm, AlgorithmDefinition>> = {
  "exact": EXACT,
  "sliding-window": SLIDING_WINDOW,
  "gcra": GCRA,
  "token-bucket": GCRA,
  "fixed-window": FIXED_WINDOW,
};

/** The names, in the order of messages. */
export const ALGORITHM_NAMES: readonly Algorithm[] = Object.keys(ALGORITHMS) as Algorithm[];

/** The definitions, each once: the place of each is its number in the script. */
export const DEFINITIONS: readonly AlgorithmDefinition[] = [...new Set(Object.values(ALGORITHMS))];

/** Whether two limits are kept in the same states, so that what was counted for one counts for the other. */
export function sharesState(a: { readonly algorithm: Algorithm }, b: { readonly algorithm: Algorithm }): boolean {
  return ALGORITHMS[a.algorithm].state === ALGORITHMS[b.algorithm].state;
}
