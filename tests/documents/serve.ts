/**
 * Runs a server of a document on a free port of this machine: `deno run serve.ts FILE`. Says at which, and nothing else
 * is changed: what the module disposes of when it ends, it disposes of.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

const [file] = Deno.args;
const serve = Deno.serve as (...args: unknown[]) => unknown;

/** `Deno.serve()` takes a handler, options and a handler, or options with a handler. */
function onFreePort(...args: unknown[]): unknown {
  const options = args.find((arg) => typeof arg === "object");
  const onListen = ({ port }: Deno.NetAddr) => console.log(`serves on port ${port}`);
  return serve(
    { ...options as object, hostname: "127.0.0.1", port: 0, onListen },
    ...args.filter((arg) => typeof arg === "function"),
  );
}

Object.defineProperty(Deno, "serve", { value: onFreePort });

// The same for those of Express and Fastify.
const node = Object.getPrototypeOf(createServer()) as Server;
const listen = node.listen as (this: Server, ...args: unknown[]) => Server;
Object.defineProperty(node, "listen", {
  value(this: Server, ...args: unknown[]) {
    this.once("listening", () => console.log(`serves on port ${(this.address() as AddressInfo).port}`));
    return listen.call(this, { host: "127.0.0.1", port: 0 }, ...args.filter((arg) => typeof arg === "function"));
  },
});
await import(file!);
