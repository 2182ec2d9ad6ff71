/**
 * Tries whether Larder can be published as it is here, committed or not: `deno task package`.
 *
 * @module
 */
import { withRegistry } from "./jsr_stand_in.ts";

const { code } = await withRegistry((url) =>
  new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: decodeURIComponent(new URL("..", import.meta.url).pathname),
    env: { JSR_URL: url },
    stdin: "null",
  }).spawn().status
);
Deno.exit(code);
