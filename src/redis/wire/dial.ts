import { dialDeno } from "./deno_socket.ts";
import { dialNode } from "./node_socket.ts";
import type { Endpoint, Socket } from "./socket.ts";

/**
 * Opens a connection. One that is given up leaves nothing open.
 *
 * @param endpoint Where to.
 * @param signal Gives the attempt up.
 */
export async function dial(endpoint: Endpoint, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const isDeno = (globalThis as { Deno?: { connect?: unknown } }).Deno?.connect !== undefined;
  const dialling = isDeno ? dialDeno(endpoint, signal) : dialNode(endpoint, signal);
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([dialling, stopped]);
  } catch (error) {
    // Dialling cannot be cut short everywhere, so a connection that comes too late is closed when it comes.
    dialling.then((socket) => socket.close(), () => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
