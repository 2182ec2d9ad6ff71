import type { Config } from "./config.ts";
import type { EventListener } from "../observe/events.ts";
import type { Batch } from "../redis/batch.ts";
import { MemorySessionStore } from "../sessions/memory_store.ts";
import type { SessionsOptions } from "../sessions/options.ts";
import { RedisSessionStore } from "../sessions/redis/store.ts";
import { touchEveryOf } from "../sessions/resolve_options.ts";
import { Sessions } from "../sessions/sessions.ts";

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
