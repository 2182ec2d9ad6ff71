import { assert, assertEquals, assertMatch } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));

interface Config {
  readonly version: string;
  readonly exports: Record<string, string>;
  readonly imports: Record<string, string>;
  readonly lock: unknown;
}

interface Lock {
  readonly specifiers: Record<string, string>;
  readonly npm: Record<string, { readonly integrity: string }>;
  readonly workspace: { readonly dependencies: readonly string[] };
}

const UPDATE = "write deploy/image.deno.json anew, and its lock with `deno cache --frozen=false` as in the Dockerfile";

Deno.test("The image has the versions of deno.json, and a lock of them that may not change", async () => {
  const [whole, image] = [JSON.parse(await read("deno.json")), JSON.parse(await read("deploy/image.deno.json"))] as [
    Config,
    Config,
  ];
  const lock = JSON.parse(await read("deploy/image.deno.lock")) as Lock;
  for (const part of ["exports", "imports"] as const) {
    for (const [name, value] of Object.entries(image[part])) assertEquals(value, whole[part][name], UPDATE);
  }
  assertEquals(image.version, whole.version, UPDATE);
  assertEquals(image.lock, { path: "deno.lock", frozen: true });
  assertEquals(lock.workspace.dependencies, Object.values(image.imports).toSorted(), UPDATE);
  for (const [name, { integrity }] of Object.entries(lock.npm)) assertMatch(integrity, /^sha512-/, name);
  const text = await read("Dockerfile");
  assertMatch(text, /^COPY deploy\/image\.deno\.json deno\.json$/m);
  assertMatch(text, /^COPY deploy\/image\.deno\.lock deno\.lock$/m);
  for (const name of ["image.deno.json", "image.deno.lock"]) {
    assert((await read(".dockerignore")).includes(`!deploy/${name}\n`), name);
  }
});

Deno.test("All that the service of the image imports is in its lock, and nothing of it is from JSR", async () => {
  const lock = JSON.parse(await read("deploy/image.deno.lock")) as Lock;
  const entries = ["main.ts", "healthcheck.ts"].map((name) => new URL(`examples/service/${name}`, ROOT).pathname);
  for (const entry of entries) {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", entry] }).output();
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: { specifier: string }[] };
    for (const { specifier } of modules) {
      if (specifier.startsWith("file:") || specifier.startsWith("node:")) continue;
      const [, id] = /^npm:\/?((?:@[^/]+\/)?[^/@]+@[^/]+)/.exec(specifier) ?? [];
      assert(id !== undefined && id in lock.npm, `${specifier}: ${UPDATE}`);
    }
  }
});

Deno.test("Actions of the workflows are named by the hash of a commit", async () => {
  for await (const { name } of Deno.readDir(new URL(".github/workflows/", ROOT))) {
    for (const [line] of (await read(`.github/workflows/${name}`)).matchAll(/^.*\buses:.*$/gm)) {
      assertMatch(line, /@[0-9a-f]{40} # v\d/, name);
    }
  }
});
