import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import type { CacheOptions } from "../../src/cache/options.ts";
import { type ImageOptions, Images, type ImageSource, type ImageStat } from "../../src/images/mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";

/** The folder with the images, with a slash at its end. */
export const FIXTURES: string = decodeURIComponent(new URL("./fixtures/", import.meta.url).pathname);

/** The bytes of an image. */
export async function fixture(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return await Deno.readFile(`${FIXTURES}${name}`);
}

/** A folder of a test's own, gone with it. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(files: Record<string, string | Uint8Array> = {}): Promise<Folder> {
    const folder = new Folder(await Deno.realPath(await Deno.makeTempDir({ prefix: "larder-images-" })));
    for (const [name, content] of Object.entries(files)) await folder.write(name, content);
    return folder;
  }

  /** Writes a file, with the folders that it needs. */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    const path = `${this.path}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await (typeof content === "string" ? Deno.writeTextFile(path, content) : Deno.writeFile(path, content));
  }

  /** Makes a file look as if it had been there for long. */
  async age(name: string): Promise<void> {
    await Deno.utime(`${this.path}/${name}`, 1_600_000_000, 1_600_000_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/**
 * Makes symbolic links, by path, FIFOs and sockets. For the former, Deno wants all permissions, so that a child does
 * it.
 */
export async function makeSpecial(
  links: Record<string, string>,
  fifos: readonly string[] = [],
  sockets: readonly string[] = [],
): Promise<void> {
  const code = `
    const { links, fifos, sockets } = JSON.parse(${JSON.stringify(JSON.stringify({ links, fifos, sockets }))});
    for (const path of sockets) Deno.listen({ transport: "unix", path });
    for (const [path, target] of Object.entries(links)) Deno.symlinkSync(target, path);
    if (fifos.length > 0) {
      const { code } = new Deno.Command("mkfifo", { args: fifos }).outputSync();
      if (code !== 0) throw new Error("no FIFO");
    }`;
  const { code: status, stderr } = await new Deno.Command(Deno.execPath(), { args: ["eval", code] }).output();
  if (status !== 0) throw new Error(`Cannot make links: ${new TextDecoder().decode(stderr)}`);
}

/** Images in memory that count how often they are looked at and read. */
export class MemorySource implements ImageSource {
  readonly images: Map<string, { bytes: Uint8Array<ArrayBuffer>; stat: ImageStat }> = new Map();
  readonly stats: string[] = [];
  readonly opened: string[] = [];
  /** Thrown by everything. */
  failing: Error | undefined;
  /** Awaited by `open`. */
  gate: Promise<void> | undefined;

  put(name: string, bytes: Uint8Array<ArrayBuffer>, stat: ImageStat = { version: crypto.randomUUID() }): void {
    this.images.set(name, { bytes, stat: { size: bytes.length, ...stat } });
  }

  stat(name: string): Promise<ImageStat | undefined> {
    this.stats.push(name);
    return this.failing ? Promise.reject(this.failing) : Promise.resolve(this.images.get(name)?.stat);
  }

  async open(
    name: string,
    { start = 0, end }: { start?: number | undefined; end?: number | undefined } = {},
  ): Promise<{ stat: ImageStat; body: ReadableStream<Uint8Array> } | undefined> {
    this.opened.push(name);
    if (this.failing) throw this.failing;
    const image = this.images.get(name);
    await this.gate;
    return image && { stat: image.stat, body: new Blob([image.bytes.slice(start, (end ?? Infinity) + 1)]).stream() };
  }

  /** How often images were looked at and read since the last time. */
  counts(): [stats: number, opened: number] {
    return [this.stats.splice(0).length, this.opened.splice(0).length];
  }
}

/** Images on an embedded store, with a clock that stands still. */
export class Bed implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly source: MemorySource = new MemorySource();
  readonly cache: Cache;
  readonly images: Images;

  constructor(options: Omit<ImageOptions, "root"> = {}, cacheOptions: CacheOptions = {}) {
    this.cache = new Cache(new MemoryStore({ now: this.clock.now }), cacheOptions);
    this.images = new Images(this.cache, { source: this.source, ...options }, { now: this.clock.now });
  }

  /** Images beside these, as another process on the same cache would have them. */
  another(options: Omit<ImageOptions, "root"> = {}): Images {
    return new Images(this.cache, { source: this.source, ...options }, { now: this.clock.now });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cache[Symbol.asyncDispose]();
  }
}
