import { shutDown, signalled } from "../service/shutdown.ts";

const DEFAULT_PORT = 8000;
/** Milliseconds that answers have to end after a signal. */
const GRACE = 3000;

/** A server on loopback, and its end. */
export interface Listening {
  readonly port: number;
  /** Waits for a signal, says so, and gives the requests that are being answered a moment to end. */
  stopped(stopping: () => void): Promise<void>;
}

/**
 * Listens on loopback, at PORT.
 *
 * @throws {RangeError} If PORT is no port.
 * @throws {Error} If it is in use.
 */
export function listen(handler: Deno.ServeHandler<Deno.NetAddr>, onError: (error: unknown) => Response): Listening {
  const port = wantedPort();
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({ hostname: "127.0.0.1", port, onListen() {}, onError }, handler);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
    throw new Error(`Cannot listen on 127.0.0.1:${port}: it is in use, wanted a free PORT`, { cause });
  }
  return {
    port: server.addr.port,
    async stopped(stopping) {
      await signalled();
      stopping();
      await shutDown(server, GRACE);
    },
  };
}

function wantedPort(): number {
  const text = Deno.env.get("PORT") || String(DEFAULT_PORT);
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new RangeError(`Cannot use PORT: wanted a port from 0 to 65535, got ${JSON.stringify(text)}`);
}
