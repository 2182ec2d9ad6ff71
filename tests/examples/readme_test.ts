import { assertEquals, assertMatch } from "@std/assert";
import { runDeno } from "./child.ts";

Deno.test("README first example runs with no permissions", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const [, example] = /^```ts\n(.*?)^```$/ms.exec(readme)!;
  const { code, output, errors } = await runDeno(["run", "--no-prompt", "-"], { input: example! });
  assertEquals({ code, output }, { code: 0, output: "1000 callers, 1 load\nundefined\n" }, errors);
  assertMatch(errors, /Larder: Nothing names a Redis/);
});

Deno.test("README names every section that it links to", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const slug = (title: string) => title.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
  const sections = new Set([...readme.matchAll(/^##+ (.+)$/gm)].map(([, title]) => slug(title!)));
  const links = [...readme.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!);
  assertEquals(links.filter((anchor) => !sections.has(anchor)), []);
});
