import { createHash } from "node:crypto";
import { NotFoundError } from "../errors.ts";
import { growingLru } from "../util/growing_lru.ts";
import type { ImageSettings } from "./settings.ts";
import type { ImageStat, OpenedImage } from "./source.ts";

/** How an image stood when it was looked at: one `stat` of its source. */
export interface Snapshot {
  /** How it stands; `undefined` if there is none. */
  readonly stat: ImageStat | undefined;
  /** Under which key what is known of it is kept, as long as it stands like that. */
  readonly key: string;
  /** Until when it need not be looked at again, by the clock. */
  readonly until: number;
  /** When it was looked at. */
  readonly at: number;
}

/** Images whose last snapshot is kept. */
const KEPT = 10_000;
/** How long "not there" is believed at most, in milliseconds: other processes are not told of it. */
const ABSENT_MOST = 1000;
/** Part of the keys: entries of another form of metadata are not read. */
const FORM = 3;
/** How soon a source that fails is asked again, in milliseconds. */
const RETRY_AFTER = 1000;

/**
 * The last snapshot of each image in this process. Callers that want one of the same image at the same time share it.
 */
export class StatCache {
  readonly #settings: ImageSettings;
  readonly #now: () => number;
  readonly #known = growingLru<Snapshot>(KEPT);
  readonly #running = new Map<string, Promise<Snapshot>>();
  #forgotten = 0;

  constructor(settings: ImageSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  /** The last snapshot, if it is recent enough. */
  recent(name: string): Snapshot | undefined {
    const known = this.#known.get(name);
    return known && this.#now() < known.until ? known : undefined;
  }

  /** StatCache at an image, together with whoever is about to. */
  refresh(name: string): Promise<Snapshot> {
    const running = this.#running.get(name);
    if (running) return running;
    const snapshot = this.#read(name).finally(() => {
      if (this.#running.get(name) === snapshot) this.#running.delete(name);
    });
    this.#running.set(name, snapshot);
    return snapshot;
  }

  /** Forgets an image, or a folder and all that is in it; `""` stands for everything. */
  forget(path: string): void {
    this.#forgotten++;
    const concerns = (name: string) => path === "" || name === path || name.startsWith(`${path}/`);
    for (const name of [...this.#known.keys()]) if (concerns(name)) this.#known.delete(name);
    for (const name of [...this.#running.keys()]) if (concerns(name)) this.#running.delete(name);
  }

  async #read(name: string): Promise<Snapshot> {
    const { source, revalidateAfter, staleIfError } = this.#settings;
    const previous = this.#known.get(name);
    const forgotten = this.#forgotten;
    let snapshot: Snapshot;
    const at = this.#now();
    try {
      const stat = await source.stat(name, { previous: previous?.stat });
      const kept = stat === undefined ? Math.min(revalidateAfter, ABSENT_MOST) : revalidateAfter;
      snapshot = {
        stat,
        key: previous && stat === previous.stat ? previous.key : this.#key(name, stat),
        at,
        until: at + kept,
      };
    } catch (error) {
      if (!previous?.stat || at >= previous.at + revalidateAfter + staleIfError || staleIfError === 0) throw error;
      snapshot = { ...previous, until: at + Math.max(RETRY_AFTER, revalidateAfter) };
    }
    // A snapshot taken before an invalidation may be of the image before it.
    if (forgotten === this.#forgotten) this.#known.set(name, snapshot);
    return snapshot;
  }

  #key(name: string, stat: ImageStat | undefined): string {
    const { hash, maxBytes, maxPixels } = this.#settings;
    const what = JSON.stringify([FORM, hash, maxBytes, maxPixels, stat && fingerprint(stat)]);
    return `image:${name}@${createHash("sha256").update(what).digest("base64url").slice(0, 22)}`;
  }
}

/** What changes when an image does; `undefined` if there is nothing to go by. */
export function fingerprint({ version, size, modified }: ImageStat): string | undefined {
  if (version !== undefined) return `v${version}`;
  return modified === undefined ? undefined : `${size ?? ""}/${modified}`;
}

/** Whether both may tell of the same image. What one of them leaves out does not tell them apart. */
export function agree(a: ImageStat, b: ImageStat): boolean {
  if (a.version !== undefined || b.version !== undefined) return a.version === b.version;
  return a.modified === b.modified && (a.size === undefined || b.size === undefined || a.size === b.size);
}

/** Whether an image that was opened is the one of a snapshot. */
export function isSame({ stat }: Pick<OpenedImage, "stat">, snapshot: Snapshot): boolean {
  return agree(stat, snapshot.stat!);
}

/** The error for an image that is not there. */
export function notFound(name: string): NotFoundError {
  return new NotFoundError("image", name);
}
