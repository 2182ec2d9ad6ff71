import type { Engine } from "./engine.ts";
import { relay } from "./relay.ts";

const RELAY = decodeURIComponent(new URL("relay.ts", import.meta.url).pathname);

/** A way for a build from the network of the engine, which leads nowhere, to the registries of modules. */
export interface Registries extends AsyncDisposable {
  /** What `docker build` has to be started with. */
  args: string[];
}

/**
 * Opens a way to registries, under their own names.
 *
 * @param variables The arguments of the Dockerfile, and where the registries are.
 */
export function registriesFor(engine: Engine, variables: Record<string, string>): Registries {
  const args: string[] = [];
  const relayed: string[] = [];
  const listeners: Deno.Listener[] = [];
  for (const [variable, url] of Object.entries(variables)) {
    const { hostname, protocol, port: named } = new URL(url);
    const port = Number(named || (protocol === "https:" ? 443 : 80));
    const path = `${engine.folder}/registry-${listeners.length}`;
    const listener = Deno.listen({ transport: "unix", path });
    listeners.push(listener);
    void relay(listener, () => Deno.connect({ hostname, port }));
    // Each has an address of its own, as they share the port.
    const address = /^127\./.test(hostname) ? hostname : `127.0.0.${listeners.length + 1}`;
    relayed.push(`${address}:${port}`, path);
    args.push("--build-arg", `${variable}=${url}`, "--add-host", `${hostname}:${address}`);
  }
  const child = engine.spawn(Deno.execPath(), "run", "--no-config", "--allow-all", RELAY, ...relayed);
  return {
    args,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
      for (const listener of listeners) listener.close();
    },
  };
}
