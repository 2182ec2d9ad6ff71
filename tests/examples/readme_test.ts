import { assertEquals, assertMatch } from "@std/assert";
import { runDeno } from "./child.ts";

Deno.test("README first example runs with no permissions", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const [, example] = /^```ts\n(.*?)^```$/ms.exec(readme)!;
  const { code, output, errors } = await runDeno(["run", "--no-prompt", "-"], { input: example! });
  assertEquals({ code, output }, { code: 0, output: "1000 callers, 1 load\nundefined\n" }, errors);
  assertMatch(errors, /Larder: Nothing names a Redis/);
});
