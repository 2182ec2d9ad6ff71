/** The import map that replaces what comes from JSR by the stand-ins of tests/offline. */
export const OFFLINE_IMPORT_MAP = "tests/offline/import_map.json";

/** How long JSR may take to answer, in milliseconds. */
const TIMEOUT = 3000;

/**
 * The registry that Deno asks for `jsr:` packages.
 *
 * @returns Its address, with a slash at the end.
 */
export function registry(): string {
  return (Deno.env.get("JSR_URL") ?? "https://jsr.io").replace(/\/*$/, "/");
}

/**
 * Asks the registry for the versions of one package that is needed.
 *
 * @returns Whether it answered with them.
 */
export async function jsrAnswers(): Promise<boolean> {
  try {
    const response = await fetch(`${registry()}@db/redis/meta.json`, { signal: AbortSignal.timeout(TIMEOUT) });
    return response.ok && "versions" in await response.json();
  } catch {
    return false; // no name, no route, no time, or a portal that answers for everybody
  }
}

/**
 * Chooses between JSR and the stand-ins, and says so when it takes the stand-ins.
 *
 * @returns The arguments that `deno` needs.
 */
export async function importMapArguments(): Promise<string[]> {
  if (await jsrAnswers()) return [];
  // deno-lint-ignore no-console
  console.log(
    `JSR does not answer (${registry()}): using the stand-ins of tests/offline for @std. ` +
      "Larder itself needs nothing of JSR; tests of @db/redis are ignored.",
  );
  return [`--import-map=${OFFLINE_IMPORT_MAP}`];
}
