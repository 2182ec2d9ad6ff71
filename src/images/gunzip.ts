import { Buffer } from "node:buffer";
import { constants, createInflateRaw, type InflateRaw } from "node:zlib";

const HAS_CHECKSUM = 2;
const HAS_EXTRA = 4;
const HAS_NAME = 8;
const HAS_COMMENT = 16;
/** A longer header is none. */
const HEADER_MOST = 2 ** 17;
/** Compressed bytes that are taken at a time, which become a thousand times as many at most. */
const BITE = 2 ** 10;

/**
 * Decompresses gzip (RFC 1952) as browsers do: nobody looks at the checksum, nor at what lies behind the data, nor
 * whether that is there at all. What is cut gives what there is.
 */
export class Gunzip {
  readonly #inflate: InflateRaw = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
  #header: Uint8Array | undefined = new Uint8Array(0);

  /** What comes out of it. Ends early where the data are damaged. */
  get output(): AsyncIterable<Uint8Array> {
    return untilDamage(this.#inflate);
  }

  /** Takes bytes; resolves when there is room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    let data = bytes;
    if (this.#header) {
      const start = Buffer.concat([this.#header, bytes]);
      const length = headerLength(start);
      if (length === undefined && start.length <= HEADER_MOST) {
        this.#header = start;
        return;
      }
      this.#header = undefined;
      data = start.subarray(length ?? start.length);
    }
    for (let at = 0; at < data.length && this.#inflate.writable; at += BITE) {
      await new Promise<void>((resolve) => {
        this.#inflate.once("close", resolve); // what is behind the data is not taken any more
        this.#inflate.write(data.subarray(at, at + BITE), () => {
          this.#inflate.off("close", resolve);
          resolve();
        });
      });
    }
  }

  /** Takes the end. */
  end(): void {
    this.#inflate.end();
  }

  /** Ends it before that. */
  stop(): void {
    this.#inflate.destroy();
  }
}

async function* untilDamage(inflate: InflateRaw): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of inflate) yield part;
  } catch {
    // What came before it is shown.
  }
}

/** Bytes of the header; `undefined` if more are to come. */
function headerLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < 10) return undefined;
  const flags = bytes[3]!;
  let at = 10;
  if (flags & HAS_EXTRA) {
    if (bytes.length < 12) return undefined;
    at = 12 + bytes[10]! + 256 * bytes[11]!;
  }
  for (const flag of [HAS_NAME, HAS_COMMENT]) {
    if (!(flags & flag)) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if (flags & HAS_CHECKSUM) at += 2;
  return at <= bytes.length ? at : undefined;
}
