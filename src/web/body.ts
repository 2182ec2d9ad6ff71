/**
 * Reads a body up to a bound.
 *
 * @param body The body.
 * @param most The most bytes.
 * @param signal Ends it.
 * @returns All of it, or `undefined` where it is longer or took too long; then the rest is given up.
 * @throws What the body fails with.
 */
export async function readUpTo(
  body: ReadableStream<Uint8Array> | null,
  most: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (body === null) return new Uint8Array(0);
  const reader = body.getReader();
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const end = () => resolve(undefined);
  signal.addEventListener("abort", end, { once: true });
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    while (!signal.aborted) {
      const read = await Promise.race([reader.read(), late]);
      if (read === undefined) break;
      if (read.done) return concatenate(chunks, length);
      chunks.push(read.value);
      length += read.value.length;
      if (length > most) break;
    }
    reader.cancel().catch(() => {});
    return undefined;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
