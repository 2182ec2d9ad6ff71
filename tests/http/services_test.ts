import { assertEquals } from "@std/assert";
import { connect, type Larder } from "../../mod.ts";
import { check } from "./services/check.mjs";

/** Services with all five: sessions, limits, kept responses, health, metrics. Node 22 has them in tests/runtimes. */
const SERVICES: readonly (readonly [framework: string, module: string, name: string])[] = [
  ["Deno.serve", "deno_serve", "open"],
  ["Hono 4", "hono", "open"],
  ["Oak 14", "oak", "open"],
  ["Oak 14 by handle()", "oak_handle", "handled"],
  ["Express 5", "express", "open"],
  ["Fastify 5", "fastify", "open"],
  ["H3 2", "h3", "open"],
  ["Elysia 1", "elysia", "open"],
  ["Fresh 2, its shape", "shapes", "fresh"],
  ["SvelteKit, its shape", "shapes", "sveltekit"],
  ["Astro, its shape", "shapes", "astro"],
  ["What SvelteKit and Astro build for Node.js, its shape", "node_handler", "built"],
];

for (const [framework, module, name] of SERVICES) {
  Deno.test(`A service with all of Larder on Deno: ${framework}`, async () => {
    await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
    const { [name]: open } = await import(`./services/${module}.mjs`);
    await (check as (open: unknown, redis: Larder) => Promise<void>)(open, redis);
  });
}

/** Lines of code: not those that are empty, and no comments. */
function linesOf(text: string): number {
  const code = text.split("\n").map((line) => line.trim()).filter((line) => !/^(?:$|\/\/|\/?\*)/.test(line));
  return code.filter((line) => !/^export (?:async )?function open\(|"\.\/(?:listen|around)\.mjs"|oak_server/.test(line))
    .length;
}

async function serviceLines(module: string): Promise<number> {
  const text = await Deno.readTextFile(new URL(`./services/${module}.mjs`, import.meta.url));
  return linesOf(text.split("  // The test:")[0]!);
}

Deno.test("docs/frameworks.md tells how many lines the services have", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/frameworks.md", import.meta.url));
  const told = new Map(
    [...text.replaceAll("`", "").matchAll(/^\| ([^|]+?) +\| ([^|]+?) +\|/gm)].map(([, name, lines]) => [name, lines]),
  );
  const around = await serviceLines("around") - 2; // its own head
  for (const [framework, module] of SERVICES.filter(([, , name]) => name === "open")) {
    const lines = String(await serviceLines(module));
    assertEquals(
      told.get(framework),
      module === "h3" || module === "elysia" ? `${lines} + ${around}` : lines,
      framework,
    );
  }
  const linesOfApp = async (file: string) =>
    linesOf(await Deno.readTextFile(new URL(`../frameworks/apps/${file}`, import.meta.url)));
  for (const [name, app] of [["SvelteKit 3", "sveltekit"], ["Astro 7", "astro"]] as const) {
    assertEquals(told.get(name), String(await linesOfApp(`${app}/src/alone.js`)), name);
    assertEquals(told.get(`${name} behind Express`), String(await linesOfApp(`${app}/server.js`)), name);
  }
  const nest = ["cache_service", "cached_interceptor", "larder_module", "limits_guard"].map(async (file) =>
    linesOf(await Deno.readTextFile(new URL(`../../examples/nest/${file}.ts`, import.meta.url)))
  );
  assertEquals(told.get("NestJS 12"), String((await Promise.all(nest)).reduce((sum, lines) => sum + lines)));
});
