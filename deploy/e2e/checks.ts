import assert from "node:assert/strict";
import { run } from "./run.ts";
import { STACK_FILE, TLS_FILE } from "./stack.ts";

/** Whether Docker's client takes the files: it has the schema, and needs no engine for that. */
export async function checkFiles(): Promise<void> {
  const env = { APP_IMAGE: "app:1", APP_HOST: "app.example.com" };
  const config = (files: string[], env: Record<string, string>) =>
    run("docker", ["stack", "config", ...files.flatMap((file) => ["--compose-file", file])], { env });
  for (const files of [[STACK_FILE], [STACK_FILE, TLS_FILE]]) {
    assert.doesNotMatch(await config(files, env), /ignoring|unsupported|deprecated/i);
  }
  await assert.rejects(() => config([STACK_FILE], { APP_IMAGE: "app" }), /required variable APP_HOST is missing/);
  // What the schema does not know is refused: it was looked at.
  const folder = await Deno.makeTempDir({ prefix: "larder-swarm-" });
  try {
    await Deno.writeTextFile(`${folder}/wrong.yml`, "services: { app: { pull_policy: always } }");
    await assert.rejects(() => config([STACK_FILE, `${folder}/wrong.yml`], env), /pull_policy is not allowed/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
