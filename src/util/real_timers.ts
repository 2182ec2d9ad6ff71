/**
 * Timers and the queue of microtasks as they are when the library is loaded. What keeps a connection alive goes by real
 * time, whatever clock a test has put in place meanwhile: a connection that waits for a fake clock would stay dead when
 * that clock is gone.
 * They may be called as members of this module: Deno 2.1 refuses timers that are called as members of anything else.
 *
 * @module
 */

/** See `globalThis.setTimeout`. */
export const setTimeout: typeof globalThis.setTimeout = globalThis.setTimeout.bind(
  globalThis,
) as typeof globalThis.setTimeout;
/** See `globalThis.clearTimeout`. */
export const clearTimeout: typeof globalThis.clearTimeout = globalThis.clearTimeout.bind(
  globalThis,
) as typeof globalThis.clearTimeout;
/** See `globalThis.setInterval`. */
export const setInterval: typeof globalThis.setInterval = globalThis.setInterval.bind(
  globalThis,
) as typeof globalThis.setInterval;
/** See `globalThis.clearInterval`. */
export const clearInterval: typeof globalThis.clearInterval = globalThis.clearInterval.bind(
  globalThis,
) as typeof globalThis.clearInterval;
/** See `globalThis.queueMicrotask`. */
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask.bind(globalThis);
