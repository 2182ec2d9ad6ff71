/**
 * How many round trips are looked at: of several the shortest says how far away the server is, whatever else this
 * process had to do.
 */
const SAMPLES = 5;

/** How long a round trip to the server takes, as measured of late. */
export class RoundTrip {
  #samples: number[] = [];
  #shortest: number | undefined;

  /** In milliseconds; nothing before the first reply. */
  get milliseconds(): number | undefined {
    return this.#shortest;
  }

  /** One took so long. */
  add(milliseconds: number): void {
    this.#samples.push(milliseconds);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#shortest = Math.min(...this.#samples);
  }

  /** One took so long that somebody had given it up, and came after all: from now on that is how long they take. */
  learn(milliseconds: number): void {
    this.#samples = [milliseconds];
    this.#shortest = milliseconds;
  }
}
