/**
 * Into how many parts `sliding-window` divides a window. What was counted stays so until no moment of its part can be
 * in the window any more, which is one part longer than the window: 1/26, or 3.8 %. The other algorithms keep their
 * keys for a part longer than they must, so that few calls have to set a TTL.
 */
export const PARTS = 26;

/** The largest sum of the counts of `sliding-window` that Redis keeps. Only penalties go beyond the limit. */
export const MAX_TOTAL = 4_294_967_295;

/** Calls of `exact` beyond which the log is too long to be read and written for each. */
export const MAX_CALLS = 10_000;
