import type { Intake } from "./parser.ts";
import type { Endpoint, Socket } from "./socket.ts";

/** Connects by what Deno has for it. */
export async function dialDeno(endpoint: Endpoint, signal: AbortSignal): Promise<Socket> {
  const { hostname, port, path, tls } = endpoint;
  if (path !== undefined) return new DenoSocket(await Deno.connect({ transport: "unix", path }));
  // Versions before 2.3 do not know the signal.
  if (!tls) return withoutDelay(await Deno.connect({ hostname, port, signal } as Deno.ConnectOptions));
  const { caCerts = [], cert, key } = tls === true ? {} : tls;
  const options = {
    hostname,
    port,
    caCerts: [...caCerts],
    ...(cert !== undefined && key !== undefined && { cert, key }),
    signal,
  };
  const connection = await Deno.connectTls(options as Deno.ConnectTlsOptions);
  await handshake(connection, signal);
  return withoutDelay(connection);
}

/** Versions before 2.2 never end a write that waits for a handshake, nor the process: nothing is written before. */
async function handshake(connection: Deno.TlsConn, signal: AbortSignal): Promise<void> {
  const close = () => closeQuietly(connection);
  signal.addEventListener("abort", close);
  try {
    signal.throwIfAborted();
    await connection.handshake();
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

function withoutDelay(connection: Deno.TcpConn | Deno.TlsConn): Socket {
  // A TLS connection sends at once where its version cannot be told to.
  (connection as Partial<Deno.TcpConn>).setNoDelay?.();
  return new DenoSocket(connection);
}

class DenoSocket implements Socket {
  readonly #connection: Deno.Conn;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  async read(intake: Intake): Promise<void> {
    const connection = this.#connection;
    for (;;) {
      const size = await connection.read(intake.space());
      if (size === null) return;
      intake.filled(size);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    let sent = await this.#connection.write(bytes);
    while (sent < bytes.length) sent += await this.#connection.write(bytes.subarray(sent));
  }

  hold(held: boolean): void {
    if (held) this.#connection.ref();
    else this.#connection.unref();
  }

  close(): void {
    closeQuietly(this.#connection);
  }
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
