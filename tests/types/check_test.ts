import { assert } from "@std/assert";
import { importMap } from "../support/deno_process.ts";
import { traitsOf } from "../../tools/test_output.ts";

/** The checks of types of older ones do not know the compiler options of this project. */
const ignore = !traitsOf(Deno.version.deno).checks;

Deno.test({
  name: "Types are what callers rely on",
  ignore,
  fn: async () => {
    const folder = new URL(".", import.meta.url).pathname;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", ...importMap(), folder],
      env: { NO_COLOR: "1" },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  },
});
