/** What an error about an argument says, in parts: for who puts it into a sentence of his own. */
export interface Refusal {
  /** The option, where the error is about one by its path. */
  readonly option?: string | undefined;
  /** What would have been right. */
  readonly wanted: string;
  /** What came, safe to show. */
  readonly got: string;
}

const refusals = new WeakMap<object, Refusal>();

/**
 * Makes the error about an argument: `Cannot ACTION: wanted WANTED, got GOT`.
 *
 * @param Kind `TypeError` for another kind of thing, `RangeError` for another size.
 * @param action What is attempted, as in "define rate limit".
 * @param refusal The rest, in parts.
 * @returns The error, whose parts {@linkcode refusalOf} gives back.
 */
export function refuse(
  Kind: typeof TypeError | typeof RangeError,
  action: string,
  refusal: Refusal,
): TypeError | RangeError {
  const error = new Kind(`Cannot ${action}: wanted ${refusal.wanted}, got ${refusal.got}`);
  refusals.set(error, refusal);
  return error;
}

/** The parts of an error that {@linkcode refuse} made. */
export function refusalOf(error: unknown): Refusal | undefined {
  return typeof error === "object" && error !== null ? refusals.get(error) : undefined;
}
