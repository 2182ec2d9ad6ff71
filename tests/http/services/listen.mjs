/** Serves what has `fetch(request, env)`, as Deno and `@hono/node-server` do. */
export async function listen(fetch) {
  if (globalThis.Deno) {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, fetch);
    return { url: `http://127.0.0.1:${server.addr.port}`, close: () => server.shutdown() };
  }
  const { serve } = await import("@hono/node-server");
  const server = await new Promise((resolve) => {
    const started = serve({ fetch, hostname: "127.0.0.1", port: 0 }, () => resolve(started));
  });
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => closed(server) };
}

/** Serves by `node:http`. */
export async function listenNode(app) {
  const server = await new Promise((resolve) => {
    const started = app.listen(0, "127.0.0.1", () => resolve(started));
  });
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => closed(server) };
}

async function closed(server) {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections?.();
  });
}
