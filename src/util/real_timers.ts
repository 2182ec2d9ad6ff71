/**
 * Timers as they are when the library is loaded. What keeps a connection alive goes by real time, whatever clock a test
 * has put in place meanwhile: a connection that waits for a fake clock would stay dead when that clock is gone.
 *
 * @module
 */

/** See `globalThis.setTimeout`. */
export const setTimeout: typeof globalThis.setTimeout = globalThis.setTimeout;
/** See `globalThis.clearTimeout`. */
export const clearTimeout: typeof globalThis.clearTimeout = globalThis.clearTimeout;
/** See `globalThis.setInterval`. */
export const setInterval: typeof globalThis.setInterval = globalThis.setInterval;
/** See `globalThis.clearInterval`. */
export const clearInterval: typeof globalThis.clearInterval = globalThis.clearInterval;
