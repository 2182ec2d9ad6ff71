import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe } from "../util/describe.ts";

interface Host {
  Deno?: { permissions: { querySync(descriptor: { name: "read"; path: string }): { state: string } } };
}

/**
 * What is wrong with the folder of images. It may come later, as a volume does, so it is told and not refused. Where it
 * may not be read nothing is asked: the first image says so.
 *
 * @param root The option.
 * @returns A sentence without its end, or `undefined` if the folder is there.
 */
export async function missingRoot(root: string | URL): Promise<string | undefined> {
  const path = root instanceof URL ? fileURLToPath(root) : root;
  const { Deno } = globalThis as Host;
  if (Deno && Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  const found = await stat(path).catch((error: { code?: string }) => error.code === "ENOENT" ? "nothing" : undefined);
  if (found === undefined || found !== "nothing" && found.isDirectory()) return undefined;
  const what = found === "nothing" ? "is not there" : "is no folder";
  const hint = path.startsWith("file:")
    ? "; a text is a path: new URL(…) makes a URL of it"
    : path.startsWith("~")
    ? '; "~" is for shells'
    : "";
  return `images.root ${describe(path)} ${what}, so no image is found until it is${hint}`;
}
