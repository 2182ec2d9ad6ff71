import type { Socket as NetSocket } from "node:net";
import type { Intake } from "./parser.ts";
import type { Endpoint, Socket } from "./socket.ts";

/** Connects by what Node.js has for it, and other runtimes that are like it. */
export async function dialNode(endpoint: Endpoint, signal: AbortSignal): Promise<Socket> {
  const socket = await open(endpoint);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => {
    socket.destroy();
    reject(signal.reason);
  };
  signal.addEventListener("abort", stop);
  socket.once(endpoint.tls ? "secureConnect" : "connect", resolve);
  socket.once("error", reject);
  try {
    if (signal.aborted) stop();
    await promise;
    socket.setNoDelay(true);
    return new NodeSocket(socket);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    socket.off("error", reject);
  }
}

async function open({ hostname, port, path, tls }: Endpoint): Promise<NetSocket> {
  if (!tls) {
    const { connect } = await import("node:net");
    return path === undefined ? connect({ host: hostname, port }) : connect({ path });
  }
  const { connect, rootCertificates } = await import("node:tls");
  const { isIP } = await import("node:net");
  const { caCerts = [], cert, key } = tls === true ? {} : tls;
  return connect({
    host: hostname,
    port,
    // An address is no name that could be asked for.
    ...(isIP(hostname) === 0 && { servername: hostname }),
    // Those that are given take the place of the known ones.
    ...(caCerts.length > 0 && { ca: [...rootCertificates, ...caCerts] }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
  });
}

class NodeSocket implements Socket {
  readonly #socket: NetSocket;
  /** A failure between two reads or writes, which nobody would hear of. */
  #failure: Error | undefined;

  constructor(socket: NetSocket) {
    this.#socket = socket;
    socket.on("error", (error) => this.#failure ??= error);
  }

  read(intake: Intake): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      socket.on("data", (bytes: Uint8Array) => {
        try {
          for (let at = 0; at < bytes.length;) {
            const space = intake.space();
            const size = Math.min(space.length, bytes.length - at);
            space.set(bytes.subarray(at, at + size));
            at += size;
            intake.filled(size);
          }
        } catch (error) {
          reject(error);
          socket.destroy();
        }
      });
      socket.on("end", () => resolve());
      socket.on("close", () => this.#failure ? reject(this.#failure) : resolve());
      socket.on("error", reject);
      if (this.#failure) reject(this.#failure);
      else if (socket.destroyed) resolve();
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  hold(held: boolean): void {
    if (held) this.#socket.ref();
    else this.#socket.unref();
  }

  close(): void {
    this.#socket.destroy();
  }
}
