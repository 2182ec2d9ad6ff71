/**
 * A proxy as in front of services, in a process of its own: `deno run forwarding_proxy.ts PORT SCHEME`. It hands all on
 * to that port of this machine, and says that its clients have used that scheme.
 *
 * @module
 */
import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";

const [port, scheme] = Deno.args;

const server = createServer((incoming, outgoing) => {
  const headers = {
    ...incoming.headers,
    "x-forwarded-proto": scheme,
    "x-forwarded-for": incoming.socket.remoteAddress,
  };
  const { method, url: path } = incoming;
  const onward = send({ host: "127.0.0.1", port: Number(port), method, path, headers, agent: false }, (answer) => {
    outgoing.writeHead(answer.statusCode!, answer.headers as Record<string, string | string[]>);
    answer.pipe(outgoing);
  });
  onward.on("error", () => outgoing.destroy());
  incoming.pipe(onward);
});
const tell = (port: number) => Deno.stdout.write(new TextEncoder().encode(`${port}\n`));
server.listen(0, "127.0.0.1", () => void tell((server.address() as AddressInfo).port));
