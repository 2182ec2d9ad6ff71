// deno-lint-ignore-file no-explicit-any -- Fastify states its functions with types of its own
import { randomUUID } from "node:crypto";
import type { NodeRequestLike } from "../web/node_request.ts";
import { type NodeTaken, taking } from "./node_context.ts";

/** Has an app answer the request of a load, which has no connection. */
export async function rerun(
  app: { inject(...args: any[]): unknown },
  request: Request,
  taken: NodeTaken,
): Promise<void> {
  const { pathname, search, host } = new URL(request.url);
  const id = randomUUID();
  const headers = { host, ...Object.fromEntries(request.headers), [ID]: id };
  const reached = Promise.withResolvers<void>();
  taken.come = reached.resolve;
  loading.set(id, taken);
  const end = () => {
    loading.delete(id);
    reached.resolve();
  };
  const answered = app.inject({ method: "GET", url: `${pathname}${search}`, headers }) as Promise<unknown>;
  answered.then(end, end);
  await reached.promise;
}

/** The header that says of which load a request is. Hooks in front see it. */
const ID = "larder-load";
/**
 * The loads whose requests the app is given, by the id that nobody else knows. The context of the calls would not do:
 * a hook in front may call back in another.
 */
const loading = new Map<string, NodeTaken>();

/** Finds out whether a request is that of a load, and takes the header away that says so. */
export function claim(raw: NodeRequestLike): void {
  const id = raw.headers[ID];
  const taken = typeof id === "string" ? loading.get(id) : undefined;
  if (!taken) return;
  loading.delete(id as string);
  taking.set(raw, taken);
  const { headers, rawHeaders } = raw as { headers: Record<string, unknown>; rawHeaders?: string[] };
  delete headers[ID];
  const at = rawHeaders?.indexOf(id as string) ?? -1;
  if (at > 0) rawHeaders!.splice(at - 1, 2);
}
