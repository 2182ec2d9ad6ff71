// deno-lint-ignore-file no-explicit-any -- Fastify states its functions with types of its own
import { AsyncLocalStorage } from "node:async_hooks";
import type { NodeRequestLike } from "../web/node_request.ts";
import { type NodeTaken, taking } from "./node_context.ts";

/** Has an app answer the request of a load, which has no connection. */
export async function rerun(
  app: { inject(...args: any[]): unknown },
  request: Request,
  taken: NodeTaken,
): Promise<void> {
  const { pathname, search, host } = new URL(request.url);
  const headers = { host, ...Object.fromEntries(request.headers) };
  const reached = Promise.withResolvers<void>();
  taken.come = reached.resolve;
  loading.run(taken, () => {
    const answered = app.inject({ method: "GET", url: `${pathname}${search}`, headers }) as Promise<unknown>;
    answered.then(() => reached.resolve(), () => reached.resolve());
  });
  await reached.promise;
}

/** The load whose request the app is given: it goes with the calls. */
const loading = new AsyncLocalStorage<NodeTaken>();
const claimed = new WeakSet<NodeTaken>();

/** The first request that comes within a load is its own. */
export function claim(raw: NodeRequestLike): void {
  const taken = loading.getStore();
  if (!taken || claimed.has(taken)) return;
  claimed.add(taken);
  taking.set(raw, taken);
}
