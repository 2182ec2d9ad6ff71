import { type Decoder, Wrong } from "./decoders.ts";
import { damage, Random } from "./random.ts";

/** What came of many inputs. */
export interface FuzzReport {
  readonly name: string;
  readonly inputs: number;
  /** How many were read. */
  readonly read: number;
  /** How many were refused. */
  readonly refused: number;
  /** Milliseconds of the slowest, and of all together. */
  readonly slowest: number;
  readonly total: number;
  /** Bytes by which the heap is larger after the last input than after the first tenth, at most. */
  readonly grown: number;
}

/** The longest that one input may take, in milliseconds, on a machine that does other things too. */
const LONGEST = 2000;
/** The most bytes by which the heap may grow. */
const MOST_GROWN = 256 * 2 ** 20;

/**
 * Has a decoder read damaged bytes.
 *
 * @param decoder The decoder.
 * @param seed The same seed gives the same bytes.
 * @param inputs How many.
 * @throws {Error} If one is read as something that nobody may be given, takes too long, or throws what no decoder
 * throws; with the input.
 */
export async function fuzz(decoder: Decoder, seed: number, inputs: number): Promise<FuzzReport> {
  const random = new Random(seed);
  for (const example of decoder.examples) await decoder.read(example.slice());
  let [read, slowest, heap, grown] = [0, 0, Infinity, 0];
  const begun = performance.now();
  for (let i = 0; i < inputs; i++) {
    const bytes = damage(random, decoder.examples);
    const start = performance.now();
    try {
      const value = decoder.read(bytes.slice());
      if (value instanceof Promise) await value;
      read++;
    } catch (error) {
      const overflow = error instanceof RangeError &&
        /call stack|Invalid (array|string) length|allocation/i.test(error.message);
      if (!(error instanceof Error) || error instanceof Wrong || overflow) throw failed(decoder, seed, i, bytes, error);
    }
    const took = performance.now() - start;
    slowest = Math.max(slowest, took);
    if (took > LONGEST) throw failed(decoder, seed, i, bytes, new Error(`it took ${Math.round(took)} ms`));
    if (i % 10_000 === 0 && i >= inputs / 10) {
      const used = Deno.memoryUsage().heapUsed;
      heap = Math.min(heap, used);
      grown = Math.max(grown, used - heap);
      if (grown > MOST_GROWN) throw failed(decoder, seed, i, bytes, new Error(`the heap has grown by ${grown} bytes`));
    }
  }
  const total = performance.now() - begun;
  return { name: decoder.name, inputs, read, refused: inputs - read, slowest, total, grown };
}

function failed(decoder: Decoder, seed: number, i: number, bytes: Uint8Array, cause: unknown): Error {
  const text = Array.from(bytes.subarray(0, 2000), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return new Error(`The decoder of ${decoder.name} failed (seed ${seed}, input ${i}): ${cause}\n${text}`, { cause });
}
