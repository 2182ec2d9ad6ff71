import { jsrAnswers, registry } from "./jsr.ts";

/** What the stand-in has: the one package that an entry point of Larder needs, without its types. */
const FILE = new URL("../tests/offline/db_redis.ts", import.meta.url);

/** The name and the version of the package, as deno.json pins it. */
async function pinned(): Promise<{ name: string; version: string }> {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  const [, name, version] = /^jsr:(@[^@]+)@(.+)$/.exec(imports["@db/redis"])!;
  return { name: name!, version: version! };
}

async function files(): Promise<Map<string, string>> {
  const { name, version } = await pinned();
  const module = await Deno.readFile(FILE);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", module));
  const checksum = `sha256-${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const manifest = { "/mod.ts": { size: module.length, checksum } };
  return new Map([
    [`/${name}/meta.json`, JSON.stringify({ latest: version, versions: { [version]: {} } })],
    [`/${name}/${version}_meta.json`, JSON.stringify({ manifest, exports: { ".": "./mod.ts" } })],
    [`/${name}/${version}/mod.ts`, new TextDecoder().decode(module)],
  ]);
}

/**
 * Runs something with a registry that answers: JSR, or where it does not answer, a stand-in on loopback with what
 * tests/offline has in place of `@db/redis`. For the commands of `deno` that take no import map, or that tell a package
 * from a file of the project.
 *
 * @param work Is given the address of the registry.
 * @returns What that gives.
 */
export async function withRegistry<T>(work: (url: string) => Promise<T>): Promise<T> {
  if (await jsrAnswers()) return await work(registry());
  const served = await files();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const body = served.get(decodeURIComponent(new URL(request.url).pathname));
    if (body === undefined) return new Response("not found", { status: 404 });
    return new Response(body, {
      headers: { "content-type": body.startsWith("{") ? "application/json" : "text/typescript" },
    });
  });
  try {
    return await work(`http://127.0.0.1:${server.addr.port}/`);
  } finally {
    await server.shutdown();
  }
}
