/**
 * Looks at one image of a folder in a process of its own, and prints by how much its memory grew.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import { Images } from "../../src/images/mod.ts";

const [root, name] = Deno.args as [string, string];
await using cache = new Cache(new MemoryStore());
const images = new Images(cache, { root });
const before = Deno.memoryUsage().rss;
const { width, size } = await images.get(name);
console.log(JSON.stringify({ width, size, grown: Deno.memoryUsage().rss - before }));
