/** Keys that may be out at first, at most, and at least. A busy server takes a while even for the first. */
const [FIRST, MOST, LEAST] = [500, 8000, 250];
/** Which part of a deadline a reply may take until fewer are out, and until there are more. */
const [SLOW, FAST] = [1 / 4, 1 / 16];

/**
 * How many keys are read by scripts that are on their way: as many as a server answers for well within the deadline.
 * The others wait for their turn, and their deadline with them, so a big call takes as long as it takes and fails no
 * sooner than a part of it does.
 */
export class ScriptsOut {
  #out = 0;
  #room = FIRST;

  /** How many may be out. */
  get room(): number {
    return this.#room;
  }

  /** Whether there is room for so many more. Where nothing is out, there is. */
  fits(keys: number): boolean {
    return this.#out === 0 || this.#out + keys <= this.#room;
  }

  /** A script for so many keys is on its way. */
  add(keys: number): void {
    this.#out += keys;
  }

  /** It was answered after so many milliseconds of a deadline; after all of it, if it was not. */
  end(keys: number, milliseconds: number, deadline: number): void {
    this.#out -= keys;
    const part = milliseconds / deadline;
    if (part > SLOW) this.#room = Math.max(LEAST, this.#room / 2);
    else if (part < FAST && keys > LEAST / 2) this.#room = Math.min(MOST, this.#room * 2);
  }
}
