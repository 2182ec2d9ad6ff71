/** Why there is none, if it was looked for. */
let failure: unknown;

/** Sees to it that there is a `URLPattern`: Node.js has one from version 24 on. */
export async function loadUrlPattern(): Promise<void> {
  if ("URLPattern" in globalThis) return;
  try {
    await import("urlpattern-polyfill");
  } catch (error) {
    failure = error; // only who has rules with a path needs it
  }
}

/**
 * Refuses to go on without a `URLPattern`.
 *
 * @param action What is attempted, as in "guard".
 * @throws {Error} If there is none.
 */
export function assertUrlPattern(action: string): void {
  if ("URLPattern" in globalThis) return;
  const wanted = 'wanted URLPattern, which connect() loads where it is missing, or import "urlpattern-polyfill"';
  throw new Error(
    `Cannot ${action}: ${wanted}, got a runtime without it`,
    failure === undefined ? {} : { cause: failure },
  );
}
