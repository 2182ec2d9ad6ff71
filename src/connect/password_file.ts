import { readFileSync } from "node:fs";
import { describe } from "../util/describe.ts";
import { ConfigError } from "../errors.ts";
import { Secret } from "./secret.ts";

interface Host {
  Deno?: { permissions: { querySync(descriptor: { name: "read"; path: string }): { state: string } } };
}

/**
 * Reads a password from a file, as container secrets are handed over. One newline at the end is not part of it.
 *
 * @param path The file.
 * @param setting The option or variable that names the file.
 * @throws {ConfigError} If the file is missing, empty or may not be read.
 */
export function readPasswordFile(path: string, setting: string): Secret {
  const shown = describe(path, 4096);
  const { Deno } = globalThis as Host;
  if (Deno !== undefined && Deno.permissions.querySync({ name: "read", path }).state !== "granted") {
    throw new ConfigError(setting, "a file that may be read", `${shown} without --allow-read for it`);
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const problem = code === "ENOENT" ? "which does not exist" : `which cannot be read (${describeCode(code)})`;
    throw new ConfigError(setting, "a file with the password in it", `${shown}, ${problem}`);
  }
  const password = text.replace(/\r?\n$/, "");
  if (password === "") throw new ConfigError(setting, "a file with the password in it", `${shown}, which is empty`);
  return new Secret(password);
}

function describeCode(code: unknown): string {
  return typeof code === "string" ? code : "unknown error";
}
