/** How many keys the oracle works on. */
export const KEYS = 12;
/** How many processes read. */
export const READERS = 3;

/**
 * What is true at present, for all processes: a small file of numbers. Each key has the version that its source has
 * now, and the version up to which invalidations were acknowledged; a read that starts now may return nothing older
 * than that.
 */
export class Truth implements Disposable {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #word = new Uint32Array(1);

  constructor(path: string) {
    this.path = path;
    this.#file = Deno.openSync(path, { read: true, write: true });
  }

  static create(): Truth {
    const path = Deno.makeTempFileSync({ prefix: "larder-oracle-" });
    Deno.writeFileSync(path, new Uint8Array(4 * (1 + READERS + 2 * KEYS)));
    return new Truth(path);
  }

  /** Whether the processes shall end. */
  get stopped(): boolean {
    return this.#read(0) === 1;
  }

  stop(): void {
    this.#write(0, 1);
  }

  /** How many hits all processes have judged. */
  get hits(): number {
    let sum = 0;
    for (let reader = 0; reader < READERS; reader++) sum += this.#read(1 + reader);
    return sum;
  }

  setHits(reader: number, hits: number): void {
    this.#write(1 + reader, hits);
  }

  /** The version that the source of a key has. */
  version(key: number): number {
    return this.#read(1 + READERS + key);
  }

  /** Changes the source of a key. */
  bump(key: number): number {
    const version = this.version(key) + 1;
    this.#write(1 + READERS + key, version);
    return version;
  }

  /** The oldest version that a read which starts now may return. */
  floor(key: number): number {
    return this.#read(1 + READERS + KEYS + key);
  }

  /** How often each key was invalidated, and that acknowledged, at least. */
  get rounds(): number {
    return Math.min(...Array.from({ length: KEYS }, (_, key) => this.floor(key)));
  }

  acknowledge(key: number, version: number): void {
    this.#write(1 + READERS + KEYS + key, version);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #read(word: number): number {
    this.#file.seekSync(4 * word, Deno.SeekMode.Start);
    if (this.#file.readSync(new Uint8Array(this.#word.buffer)) !== 4) throw new RangeError("the truth is too short");
    return this.#word[0]!;
  }

  #write(word: number, value: number): void {
    this.#word[0] = value;
    this.#file.seekSync(4 * word, Deno.SeekMode.Start);
    this.#file.writeSync(new Uint8Array(this.#word.buffer));
  }
}
