import { describeSetting } from "../util/describe.ts";
import { ConfigError } from "../errors.ts";

/** Reads an environment variable; `undefined` when it is not set. */
export type Environment = (name: string) => string | undefined;

interface Host {
  Deno?: {
    env: { get(name: string): string | undefined };
    permissions: { querySync(descriptor: { name: "env"; variable: string }): { state: string } };
  };
  process?: { env?: Record<string, string | undefined> };
}

/**
 * Reads a variable of the process. Where that is not permitted it counts as not set, and the user is not asked:
 * configuration by environment is an offer, not a need.
 *
 * @param name The variable.
 */
export function readEnvironment(name: string): string | undefined {
  const { Deno, process } = globalThis as Host;
  if (Deno === undefined) return process?.env?.[name];
  return Deno.permissions.querySync({ name: "env", variable: name }).state === "granted"
    ? Deno.env.get(name)
    : undefined;
}

/**
 * The value of a variable without white space around it; `undefined` when there is nothing else. Compose files and
 * `.env` files set variables to nothing to say that they are not used.
 *
 * @param env Where to look.
 * @param name The variable.
 */
export function readSetting(env: Environment, name: string): string | undefined {
  return env(name)?.trim() || undefined;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
  ["1", true],
  ["0", false],
  ["yes", true],
  ["no", false],
  ["on", true],
  ["off", false],
]);

/**
 * A variable that says yes or no; `undefined` when it is not set.
 *
 * @param env Where to look.
 * @param name The variable.
 * @param wanted What it may be, for the error.
 * @throws {ConfigError} If it says neither.
 */
export function readBoolean(env: Environment, name: string, wanted: string): boolean | undefined {
  const text = readSetting(env, name);
  if (text === undefined) return undefined;
  const value = BOOLEANS.get(text.toLowerCase());
  if (value === undefined) throw new ConfigError(name, wanted, describeSetting(text));
  return value;
}
