// A payload is the length of the original (32 bit, little endian) and its raw deflate stream. The length makes a
// cut-off stream visible, which the decompressor alone does not report, and refuses an oversized one before any work.
const HEADER_BYTES = 4;

/**
 * Input is handed over in pieces because a decompressor answers each piece in full: deflate expands at most 1032 times,
 * so no piece makes more than 8 MiB.
 */
const PIECE_BYTES = 8 * 1024;
/** How many times its length deflate expands what it is given, at most. */
const MOST_EXPANSION = 1032;

/**
 * Compresses bytes.
 *
 * @param bytes What to compress.
 * @returns The compressed form, to be read by {@linkcode decompress}; it may be longer than the original.
 */
export async function compress(bytes: Uint8Array): Promise<Uint8Array> {
  const header = new Uint8Array(HEADER_BYTES);
  new DataView(header.buffer).setUint32(0, bytes.length, true);
  const chunks = [header];
  await pump(bytes, new CompressionStream("deflate-raw"), Infinity, (chunk) => chunks.push(chunk));
  return concat(chunks);
}

/**
 * Reverses {@linkcode compress}.
 *
 * @param payload What {@linkcode compress} gave.
 * @param maxBytes The most bytes to produce. A payload that says or turns out to be longer is refused, whatever it
 * expands to.
 * @returns The original bytes, in memory of their own.
 * @throws {RangeError} If the original is longer than `maxBytes`.
 * @throws {Error} If the payload is damaged.
 */
export async function decompress(payload: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const length = lengthOf(payload);
  if (length > maxBytes) {
    throw new RangeError(`Cannot decompress value: wanted at most ${maxBytes} bytes, got ${length}`);
  }
  // What claims to be longer than it can be takes no memory.
  const bytes = new Uint8Array(Math.min(length, MOST_EXPANSION * payload.length));
  let at = 0;
  await pump(payload.subarray(HEADER_BYTES), new DecompressionStream("deflate-raw"), length, (chunk) => {
    bytes.set(chunk, at);
    at += chunk.length;
  });
  if (at !== length) throw new Error(`Cannot decompress value: wanted ${length} bytes, got ${at}`);
  return bytes;
}

/**
 * How long the original is, as a payload says.
 *
 * @throws {Error} If it is too short to say so.
 */
export function lengthOf(payload: Uint8Array): number {
  if (payload.length < HEADER_BYTES) {
    throw new Error(`Cannot decompress value: wanted at least ${HEADER_BYTES} bytes, got ${payload.length}`);
  }
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0, true);
}

async function pump(
  bytes: Uint8Array,
  transform: CompressionStream | DecompressionStream,
  maxBytes: number,
  take: (chunk: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  let offset = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller): void {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(offset, offset + PIECE_BYTES));
      offset += PIECE_BYTES;
    },
  });
  const reader = source.pipeThrough(transform as ReadableWritablePair<Uint8Array<ArrayBuffer>, Uint8Array>).getReader();
  let total = 0;
  while (true) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    const { done, value } = await reader.read();
    if (done) return;
    total += value.length;
    if (total > maxBytes) {
      // deno-lint-ignore no-await-in-loop -- ends the loop
      await reader.cancel();
      throw new RangeError(`Cannot decompress value: wanted at most ${maxBytes} bytes, got more`);
    }
    take(value);
  }
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}
