/**
 * A proxy in a thread of its own, so that what it costs is not taken from those who are measured. It is told where to,
 * and answers with its port.
 *
 * @module
 */
import { TcpProxy } from "../tests/support/proxy.ts";

declare const self: {
  onmessage: ((event: MessageEvent<{ hostname: string; port: number; delay: number }>) => void) | null;
  postMessage(port: number): void;
};

self.onmessage = ({ data: { hostname, port, delay } }) => {
  const proxy = TcpProxy.start({ hostname, port });
  proxy.delay = delay;
  self.postMessage(proxy.port);
};
