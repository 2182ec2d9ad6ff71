import { existsSync, readFileSync } from "node:fs";
import { describe } from "../util/describe.ts";
import { ConfigError } from "../errors.ts";
import { Secret } from "./secret.ts";

interface Host {
  Deno?: { permissions: { querySync(descriptor: { name: "read"; path: string }): { state: string } } };
}

/**
 * Reads a password from a file, as container secrets are handed over. One line end behind it is not part of it, and
 * white space alone is none. Errors show the path only if it is one: who has mixed up the settings has put the password
 * there.
 *
 * @param path The file.
 * @param setting The option or variable that names the file.
 * @throws {ConfigError} If the file is missing, empty or may not be read.
 */
export function readPasswordFile(path: string, setting: string): Secret {
  if (!mayRead(path)) {
    throw new ConfigError(setting, "a file that may be read", `${shownPath(path)} without --allow-read for it`);
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const problem = code === "ENOENT" ? "which does not exist" : `which cannot be read (${describeCode(code)})`;
    throw new ConfigError(setting, "a file with the password in it", `${shownPath(path, code)}, ${problem}`);
  }
  const password = text.replace(/\r?\n$/, "");
  if (password.trim() === "") {
    throw new ConfigError(setting, "a file with the password in it", `${describe(path, 4096)}, which is empty`);
  }
  return new Secret(password);
}

function describeCode(code: unknown): string {
  return typeof code === "string" ? code : "unknown error";
}

/**
 * What generated passwords do not look like: folders and a name of small letters, as in `/run/secrets/redis_password`.
 */
const PATH = /^(?:[A-Za-z]:[\\/]|\.{0,2}\/)?(?:[a-z0-9._-]{1,32}[\\/])+[a-z0-9._-]{1,255}$/;

function mayRead(path: string): boolean {
  const { Deno } = globalThis as Host;
  return Deno === undefined || Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

/** Whether it begins with a folder that is there, which no password does. */
function beginsWithFolder(path: string): boolean {
  const [folder] = /^(?:[A-Za-z]:)?[\\/][^\\/]+(?=[\\/])/.exec(path) ?? [];
  return folder !== undefined && mayRead(folder) && existsSync(folder);
}

/** The path, unless it may be the password. What is there is a path, whatever it looks like. */
function shownPath(path: string, code?: unknown): string {
  const isThere = code !== undefined && code !== "ENOENT" && code !== "ENAMETOOLONG";
  return isThere || PATH.test(path) || beginsWithFolder(path) ? describe(path, 4096) : "a name that is not shown";
}
