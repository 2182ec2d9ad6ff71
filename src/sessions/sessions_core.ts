import { type EventListener, safeListener } from "../observe/events.ts";
import { assertOptions } from "../util/option_names.ts";
import { SessionDecoder } from "./decoder.ts";
import { Operations } from "./operations.ts";
import { SESSIONS } from "./option_names.ts";
import type { SessionsOptions, TypedSessionsOptions } from "./options.ts";
import { ReplicaCalls } from "../redis/replica_calls.ts";
import { type Limits, limitsOf } from "./resolve_options.ts";
import { counting } from "./stats.ts";
import type { SessionStore } from "./store.ts";
import { TokenFormat } from "./token.ts";

/** What the parts of the service work with. */
export interface SessionsCore<Data extends object> {
  readonly store: SessionStore;
  /** Emits events, and counts them. */
  readonly on: EventListener;
  /** Who is told, as it was given. */
  readonly listener: EventListener | undefined;
  readonly format: TokenFormat;
  readonly limits: Limits;
  readonly decoder: SessionDecoder<Data>;
  readonly replicas: ReplicaCalls;
  readonly operations: Operations<Data>;
}

/** Checks the options of `Sessions`, and puts its parts together. */
export function openSessionsCore<Data extends object>(
  store: SessionStore,
  options: Omit<SessionsOptions<Data>, "touchEvery">,
  listener: EventListener | undefined,
  typed: TypedSessionsOptions<Data>,
): SessionsCore<Data> {
  assertOptions(options, SESSIONS, "open sessions");
  const on = counting(store, safeListener(listener));
  const limits = limitsOf(options);
  const format = new TokenFormat(store.buckets);
  const decoder = new SessionDecoder(typed.schema ?? options.schema, on);
  const tolerant = options.onUnavailable === "none";
  const replicas = new ReplicaCalls(store, options.durability, "open sessions", on);
  const operations = new Operations({ store, format, limits, decoder, on, tolerant, replicas });
  return { store, on, listener, format, limits, decoder, replicas, operations };
}
