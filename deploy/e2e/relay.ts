/**
 * Lets what runs in the network namespace of the engine reach a registry, and nothing else: takes connections there,
 * and hands them through a Unix socket to the process outside.
 *
 *     deno run -A relay.ts 127.0.0.2:443 SOCKET [ADDRESS SOCKET]…
 *
 * @module
 */

/** Hands all connections on, until the listener is closed. */
export async function relay(listener: Deno.Listener, connect: () => Promise<Deno.Conn>): Promise<void> {
  for await (const near of listener) void join(near, connect);
}

async function join(near: Deno.Conn, connect: () => Promise<Deno.Conn>): Promise<void> {
  try {
    const far = await connect();
    await Promise.all([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
  } catch {
    // One of them ended it: pipeTo() has closed the other.
    try {
      near.close();
    } catch {
      // It is closed.
    }
  }
}

if (import.meta.main) {
  for (let i = 0; i < Deno.args.length; i += 2) {
    const [hostname, port] = Deno.args[i]!.split(":") as [string, string];
    const path = Deno.args[i + 1]!;
    void relay(Deno.listen({ hostname, port: Number(port) }), () => Deno.connect({ transport: "unix", path }));
  }
}
