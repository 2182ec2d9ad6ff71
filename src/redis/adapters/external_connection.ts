import { RedisError, UnavailableError } from "../../errors.ts";
import type { ConnectionChange } from "../client.ts";

/** The part of an event emitter that is needed to follow it. */
export interface EmitterLike {
  /** Adds a listener. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Removes a listener. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** Follows the connection of a client that belongs to somebody else, and leaves no listener behind. */
export class ExternalConnection {
  readonly #client: EmitterLike;
  readonly #events: [event: string, listener: (...args: unknown[]) => void][] = [];
  #listener: ((change: ConnectionChange) => void) | undefined;
  #generation: number;
  #wasUp: boolean;
  #failure: unknown;
  #closed = false;

  /**
   * @param client The client.
   * @param up Whether it is connected now.
   */
  constructor(client: EmitterLike, up: boolean) {
    this.#client = client;
    this.#wasUp = up;
    this.#generation = up ? 1 : 0;
  }

  /** See `RedisClient.generation`. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether Larder has put it down. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sets the one listener for changes. */
  listen(listener: (change: ConnectionChange) => void): void {
    this.#listener = listener;
  }

  /** Listens to an event of the client until {@linkcode ExternalConnection.close}. */
  on(event: string, listener: (...args: unknown[]) => void): void {
    this.#events.push([event, listener]);
    this.#client.on(event, listener);
  }

  /** There is a connection. */
  connected(): void {
    this.#wasUp = true;
    this.#failure = undefined;
    this.renewed();
    this.#listener?.({ state: "connected" });
  }

  /** What keeps state about the server has to look again. */
  renewed(): void {
    this.#generation++;
  }

  /** Something went wrong, which may be why there will be no connection. */
  failed(error: unknown): void {
    // The errors of the libraries carry the command with its arguments, which may be a password.
    const said = error instanceof Error && /^[A-Z]+ /.test(error.message) && "command" in error;
    this.#failure = said ? new RedisError((error as Error).message) : error;
  }

  /** The connection was lost, or was not made. A mere loss has no error: it may be mended soon. */
  lost(): void {
    if (!this.#wasUp) return this.ended();
    this.#wasUp = false;
    this.#listener?.({ state: "disconnected", ...(this.#failure !== undefined && { reason: this.#failure }) });
  }

  /** There is no connection, and waiting for one is in vain. */
  ended(): void {
    this.#wasUp = false;
    const error = this.#failure ?? new UnavailableError("use the client", "connection");
    this.#listener?.({ state: "disconnected", error });
  }

  /** Throws when commands cannot be sent: the client would keep them for later. */
  assert(up: boolean): void {
    if (this.#closed) throw new UnavailableError("send commands", "closed");
    if (!up) throw new UnavailableError("send commands", "connection");
  }

  /** Takes all listeners off. */
  close(): void {
    this.#closed = true;
    this.#listener = undefined;
    for (const [event, listener] of this.#events.splice(0)) this.#client.off(event, listener);
  }
}
