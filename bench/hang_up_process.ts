/**
 * The visitor of the scenario `shared-fate`: asks for all pages at once every half second, and hangs up. Ends with its
 * input.
 *
 * @module
 */
const [port, pages] = Deno.args.map(Number);
const encoder = new TextEncoder();
const requests = Array.from(
  { length: pages! },
  (_, i) => encoder.encode(`GET /pages/${i} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`),
);

async function visit(request: Uint8Array): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: port! });
  await connection.write(request);
}

const timer = setInterval(() => void Promise.all(requests.map(visit)).catch(() => {}), 500);
for await (const _ of Deno.stdin.readable);
clearInterval(timer);
