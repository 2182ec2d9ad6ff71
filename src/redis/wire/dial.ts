import { dialDeno } from "./deno_socket.ts";
import { dialNode } from "./node_socket.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import type { Endpoint, Socket } from "./socket.ts";

/**
 * How long is waited for an attempt that is given up to end, in milliseconds: where it can be cut short, that is at
 * once.
 */
const PATIENCE = 50;

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
    const closed = dialling.then((socket) => socket.close(), () => {});
    await settled(closed, PATIENCE);
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Waits until a promise has settled, or so many milliseconds. */
async function settled(promise: Promise<void>, milliseconds: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
