import { constants } from "node:fs";
import { type FileHandle, lstat, open, opendir, readlink, realpath } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe } from "../util/describe.ts";
import type { ImageSource, ImageStat, OpenedImage, OpenOptions, StatOptions } from "./source.ts";
import { typeOfName } from "./types.ts";

/** Bytes that are read at a time. */
const CHUNK = 2 ** 16;
/** Symbolic links that are followed, as many as Linux does. */
const LINKS = 40;
/** Deno tells when a file was changed in whole seconds, and so do some file systems. */
const TIME_STEP = 2000;
/** Of no use where they are not known: then the file is looked at before and after instead. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

type Stats = Awaited<ReturnType<typeof statsOf>>;

/** What a name stands for. */
interface Found {
  readonly path: string;
  readonly stats: Stats;
  /** How many folders below the root it lies. */
  readonly folders: number;
}

const statsOf = (path: string) => lstat(path, { bigint: true });

/**
 * Images in a folder of the file system and below. Needs `--allow-read` for the folder.
 *
 * Symbolic links are followed as long as they stay in the folder. What lies outside of it, and what is no regular file,
 * is not there.
 *
 * @param root The folder: a path, or a `file:` URL.
 * @returns The source.
 * @throws {TypeError} If the root is neither.
 *
 * @example Beside the module
 * ```ts
 * import { fileSource } from "@larder/larder/images";
 *
 * const source = fileSource(new URL("./public/images/", import.meta.url));
 * ```
 */
export function fileSource(root: string | URL): ImageSource {
  return new FileSource(root);
}

class FileSource implements ImageSource {
  readonly #root: string;

  constructor(root: string | URL) {
    const path = root instanceof URL && root.protocol === "file:" ? fileURLToPath(root) : root;
    if (typeof path !== "string" || path === "" || path.includes("\0")) {
      throw new TypeError(`Cannot use the root of images: wanted the path of a folder, got ${describe(root)}`);
    }
    this.#root = path.replace(/(?<=.)[/\\]+$/, "");
  }

  async stat(name: string, options: StatOptions = {}): Promise<ImageStat | undefined> {
    options.signal?.throwIfAborted();
    const found = await this.#find(name);
    return found && imageStat(found.stats);
  }

  async open(name: string, options: OpenOptions = {}): Promise<OpenedImage | undefined> {
    const { signal, start = 0, end = Infinity } = options;
    signal?.throwIfAborted();
    const found = await this.#find(name);
    if (!found) return undefined;
    const file = await open(found.path, FLAGS).catch(absent);
    if (!file) return undefined;
    try {
      const stats = await file.stat({ bigint: true });
      // What was opened must be what was found: somebody may have put a link in its place.
      if (!stats.isFile() || !isSameFile(stats, found.stats) || !await this.#isStillThere(name, found)) {
        await file.close();
        return undefined;
      }
      const before = imageStat(stats);
      const unchanged = async () => {
        const now = await this.stat(name);
        return now?.version === before.version;
      };
      return { stat: before, body: bodyOf(file, start, Math.min(end + 1, Number(stats.size))), unchanged };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async *list(folder: string, options: { signal?: AbortSignal | undefined } = {}): AsyncGenerator<string> {
    const path = folder === "" ? this.#root : `${this.#root}/${folder}`;
    if (folder !== "" && !(await this.#walk(folder))?.stats.isDirectory()) return;
    const directory = await opendir(path).catch(absent);
    if (!directory) return;
    for await (const entry of directory) {
      options.signal?.throwIfAborted();
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) yield* this.list(name, options);
      else if (typeOfName(name) !== undefined && (entry.isFile() || await this.#find(name))) yield name;
    }
  }

  /** Whether what was found is found again: a folder on the way may have been a link while it was opened. */
  async #isStillThere(name: string, { stats, folders }: Found): Promise<boolean> {
    if (folders === 0) return true;
    const again = await this.#find(name);
    return again !== undefined && isSameFile(stats, again.stats);
  }

  async #find(name: string): Promise<Found | undefined> {
    const found = await this.#walk(name);
    return found?.stats.isFile() ? found : undefined;
  }

  /**
   * Walks from the root to what a name stands for, link by link, so that nothing outside the root is ever looked at: a
   * system call that follows links would, and only then tell where they led.
   */
  async #walk(name: string): Promise<Found | undefined> {
    let left = name.split("/");
    const walked: string[] = [];
    let links = 0;
    while (true) {
      const part = left.shift()!;
      if (part === "..") {
        if (walked.pop() === undefined || left.length === 0) return undefined;
        continue;
      }
      const path = [this.#root, ...walked, part].join("/");
      const stats = await statsOf(path).catch(absent);
      if (!stats) return undefined;
      if (stats.isSymbolicLink()) {
        if (++links > LINKS) return undefined;
        const target = await readlink(path).catch(absent);
        const parts = target === undefined ? undefined : await this.#partsOf(target, walked);
        if (!parts) return undefined;
        left = [...parts, ...left];
      } else if (left.length === 0) return { path, stats, folders: walked.length };
      else if (stats.isDirectory()) walked.push(part);
      else return undefined;
    }
  }

  /** The parts of a link's target, from where the link is, or from the root after `walked` was emptied. */
  async #partsOf(target: string, walked: string[]): Promise<string[] | undefined> {
    let inside = target.replaceAll("\\", "/");
    if (inside.startsWith("/") || /^[a-z]:/i.test(inside)) {
      const roots = [this.#root, await realpath(this.#root).catch(absent)];
      const root = roots.find((root) => root !== undefined && inside.startsWith(`${root.replaceAll("\\", "/")}/`));
      if (root === undefined) return undefined;
      inside = inside.slice(root.length + 1);
      walked.length = 0;
    }
    const parts = inside.split("/").filter((part) => part !== "" && part !== ".");
    return parts.length > 0 ? parts : undefined;
  }
}

function imageStat(stats: { size: bigint; mtimeNs: bigint; ctimeNs: bigint; ino: bigint }): ImageStat {
  const { size, mtimeNs, ctimeNs, ino } = stats;
  const [modified, changed] = [Number(mtimeNs / 1_000_000n), Number(ctimeNs / 1_000_000n)];
  return {
    size: Number(size),
    modified,
    version: [size, mtimeNs, ctimeNs, ino].map((part) => part.toString(36)).join("."),
    recent: Date.now() - Math.max(modified, changed) < TIME_STEP,
  };
}

function isSameFile(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** What is not there, or not to be had, is not there. */
function absent(error: unknown): undefined {
  const { code, name } = error as { code?: string; name?: string };
  const codes = ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EINVAL", "EISDIR", "ENXIO", "EACCES", "EPERM"];
  if (codes.includes(code ?? "") && name !== "NotCapable") return;
  throw error;
}

/** The bytes from `start` up to `end`, read as they are wanted. */
function bodyOf(file: FileHandle, start: number, end: number): ReadableStream<Uint8Array> {
  let at = start;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        if (at < end) {
          const buffer = new Uint8Array(Math.min(CHUNK, end - at));
          const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
          if (bytesRead === 0) throw new Error(`Cannot read an image: wanted bytes up to ${end}, got its end at ${at}`);
          at += bytesRead;
          controller.enqueue(buffer.subarray(0, bytesRead));
        }
        if (at < end) return;
        await file.close();
        controller.close();
      } catch (error) {
        await file.close().catch(() => {});
        throw error;
      }
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}
