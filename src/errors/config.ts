/**
 * An option or an environment variable has a value that Larder cannot use. The message names it, says what was wanted
 * and what came; values that may be secret are never shown.
 *
 * @example Read the name
 * ```ts
 * import { ConfigError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new ConfigError("REDIS_PORT", "a port from 1 to 65535", '"abc"');
 * assert.equal(error.message, 'Cannot use REDIS_PORT: wanted a port from 1 to 65535, got "abc"');
 * ```
 */
export class ConfigError extends TypeError {
  /** The error name. */
  override readonly name: string = "ConfigError";
  /** The option path or the environment variable. */
  readonly setting: string;

  /**
   * Creates the error.
   *
   * @param setting The option path or the environment variable.
   * @param wanted What would have been right.
   * @param got What came, already safe to show.
   * @param options Carries the `cause`.
   */
  constructor(setting: string, wanted: string, got: string, options?: ErrorOptions) {
    super(`Cannot use ${setting}: wanted ${wanted}, got ${got}`, options);
    this.setting = setting;
  }
}
