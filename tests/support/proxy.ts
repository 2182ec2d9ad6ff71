// Taken before any test can put fake timers in their place.
const { setTimeout, clearTimeout } = globalThis;

/** One direction of one connection: what arrived and when it may go on. */
interface Chunk {
  bytes: Uint8Array;
  due: number;
}

/**
 * A TCP proxy on loopback that makes the network in front of a server slow, silent or broken.
 *
 * ```ts ignore
 * await using proxy = TcpProxy.start(server);
 * proxy.delay = 5;
 * ```
 */
export class TcpProxy implements AsyncDisposable {
  /** How long each chunk is held in each direction, in milliseconds. */
  delay = 0;
  /** How many bytes pass in each direction of each connection in a second. */
  bytesPerSecond: number = Infinity;
  /** Drops what the server says, while what it is told passes; such a connection is out of step ever after. */
  muted = false;
  readonly #listener: Deno.TcpListener;
  readonly #target: { hostname: string; port: number };
  readonly #pairs = new Map<Deno.Conn, Deno.Conn | undefined>();
  readonly #sleepers = new Set<() => void>();
  readonly #work = new Set<Promise<void>>();
  #frozen = false;
  #accepted = 0;

  private constructor(listener: Deno.TcpListener, target: { hostname: string; port: number }) {
    this.#listener = listener;
    this.#target = target;
    this.#track(this.#accept());
  }

  /** Starts a proxy on a free port of loopback. A `RedisServer` will do as the target. */
  static start(target: { hostname?: string; port: number }): TcpProxy {
    const { hostname = "127.0.0.1", port } = target;
    return new TcpProxy(Deno.listen({ hostname: "127.0.0.1", port: 0 }), { hostname, port });
  }

  /** The port to connect to. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** The URL of the Redis server behind it, if that needs no login. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** How many connections are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** How many connections were accepted so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /**
   * Drops all that arrives, in both directions, while the sockets stay open and new ones are accepted. A connection
   * that lost something this way is out of step ever after.
   */
  freeze(): void {
    this.#frozen = true;
  }

  /** Lets what arrives from now on pass again. */
  thaw(): void {
    this.#frozen = false;
  }

  /** Closes all connections; new ones are accepted. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      close(client);
      if (server) close(server);
    }
    this.#pairs.clear();
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    while (this.#work.size > 0) {
      this.cut();
      await Promise.race(this.#work);
    }
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.#accepted++;
      client.setNoDelay();
      this.#pairs.set(client, undefined);
      this.#track(this.#serve(client));
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    let server: Deno.TcpConn;
    try {
      server = await Deno.connect(this.#target);
    } catch {
      this.#pairs.delete(client);
      return close(client);
    }
    if (!this.#pairs.has(client)) return close(server); // cut meanwhile
    server.setNoDelay();
    this.#pairs.set(client, server);
    await Promise.all([this.#pump(client, server, () => false), this.#pump(server, client, () => this.muted)]);
    this.#pairs.delete(client);
  }

  /** Carries one direction until either end is closed, then closes both. */
  async #pump(from: Deno.Conn, to: Deno.Conn, muted: () => boolean): Promise<void> {
    const chunks: Chunk[] = [];
    let open = true;
    let arrived = Promise.withResolvers<void>();
    let free = 0; // when the line has carried all that it was given
    const writing = (async () => {
      while (open || chunks.length > 0) {
        const chunk = chunks.shift();
        if (!chunk) {
          await arrived.promise;
          arrived = Promise.withResolvers();
          continue;
        }
        const { length } = chunk.bytes;
        free = Math.max(free, chunk.due) + length * 1000 / this.bytesPerSecond;
        await this.#until(free);
        for (let sent = 0; sent < length;) sent += await to.write(chunk.bytes.subarray(sent));
      }
    })().catch(() => {}); // the other end is gone
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let size = await from.read(buffer); size !== null; size = await from.read(buffer)) {
        if (this.#frozen || muted()) continue;
        chunks.push({ bytes: buffer.slice(0, size), due: performance.now() + this.delay });
        arrived.resolve();
      }
    } catch {
      // Closed under the reader's feet.
    }
    open = false;
    arrived.resolve();
    await writing;
    close(from);
    close(to);
  }

  async #until(time: number): Promise<void> {
    const wait = time - performance.now();
    if (wait <= 0) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, wait);
      this.#sleepers.add(wake);
    });
  }

  #wake(): void {
    for (const wake of this.#sleepers) wake();
  }

  #track(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
