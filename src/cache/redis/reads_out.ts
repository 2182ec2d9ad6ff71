/**
 * The fewest, the first and the most bytes that are asked for in one write; a value that is longer by itself goes
 * alone.
 */
const [LEAST, FIRST, MOST] = [256 * 1024, 2 ** 20, 4 * 2 ** 20];
/** What is longer is long: it does not hold up what is short. */
const LONG = 64 * 1024;
/** Which part of a deadline the replies may take until there are fewer of them, and until there are more. */
const [SLOW, FAST] = [1 / 4, 1 / 16];

/** Bytes of short and of long values. */
interface Bytes {
  short: number;
  long: number;
}

/**
 * How much the replies will bring that are on their way. What shares the connection with large values, such as a login,
 * must not have to wait for all of them; and a slow line has to bring each reply within the deadline.
 */
export class ReadsOut {
  readonly #out: Bytes = { short: 0, long: 0 };
  #room = FIRST;

  /** How many bytes one write asks for. */
  get room(): number {
    return this.#room;
  }

  /** What the next write asks for. */
  next(): ReadsOfWrite {
    return new ReadsOfWrite(this.#out, this.#room);
  }

  /** So many bytes took so many milliseconds of a deadline; all of it, if they did not come. */
  learn(bytes: number, milliseconds: number, deadline: number): void {
    const part = milliseconds / deadline;
    if (part > SLOW) this.#room = Math.max(LEAST, this.#room / 2);
    else if (part < FAST && bytes > this.#room / 2) this.#room = Math.min(MOST, this.#room * 2);
  }
}

/** How much one write asks for. */
export class ReadsOfWrite {
  readonly #out: Bytes;
  readonly #own: Bytes = { short: 0, long: 0 };
  readonly #room: number;

  constructor(out: Bytes, room: number) {
    this.#out = out;
    this.#room = room;
  }

  /** How many bytes it asks for. */
  get bytes(): number {
    return this.#own.short + this.#own.long;
  }

  /**
   * Adds a value of so many bytes, if there is room for it beside what is on its way. Short ones need not wait for
   * long ones.
   */
  add(bytes: number): boolean {
    const kind = bytes > LONG ? "long" : "short";
    if (this.#out[kind] > 0 && this.#out[kind] + bytes > this.#room) return false;
    this.#own[kind] += bytes;
    this.#out[kind] += bytes;
    return true;
  }

  /** The replies are here, or never will be. */
  end(): void {
    this.#out.short -= this.#own.short;
    this.#out.long -= this.#own.long;
    this.#own.short = this.#own.long = 0;
  }
}
