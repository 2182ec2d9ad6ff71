import type { Config } from "../config.ts";
import type { EventListener } from "../events.ts";
import type { Batch } from "../redis/batch.ts";
import { MemorySessionStore } from "./memory_store.ts";
import type { SessionsOptions } from "./options.ts";
import { RedisSessionStore } from "./redis_store.ts";
import { touchEveryOf } from "./resolve_options.ts";
import { Sessions } from "./sessions.ts";

/** Opens sessions on a connection, or in this process where there is none. */
export function openSessions<Data extends object>(
  batch: Batch | undefined,
  config: Pick<Config, "server" | "namespace" | "buckets" | "sessions">,
  on: EventListener | undefined,
): Sessions<Data> {
  const { server, namespace, buckets } = config;
  const sessions = config.sessions as unknown as SessionsOptions<Data>;
  const touchEvery = touchEveryOf(sessions);
  if (batch) return new Sessions(new RedisSessionStore(batch, { namespace, buckets, touchEvery }), sessions, on);
  const implicit = server.kind === "memory" && server.implicit;
  return new Sessions(
    new MemorySessionStore({ touchEvery, onFirst: implicit ? () => warn(on) : undefined }),
    sessions,
    on,
  );
}

let warned = false;

function warn(on: EventListener | undefined): void {
  if (warned) return;
  warned = true;
  const message = "Sessions live in this process only: they end with it";
  on?.({ type: "warning", message });
  // deno-lint-ignore no-console -- said once, and only to those who did not choose it
  if (!on) console.warn(`Larder: ${message}.`);
}
