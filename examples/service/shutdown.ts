const SIGNALS: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** Waits until the process is told to end. */
export async function signalled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const listener = () => resolve();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, listener);
  await promise;
  for (const signal of SIGNALS) Deno.removeSignalListener(signal, listener);
}

/** Lets a server answer what it has been asked, for so many milliseconds at most. */
export async function shutDown(server: Deno.HttpServer, grace: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, grace);
  await Promise.race([server.shutdown(), late]);
  clearTimeout(timer);
}
