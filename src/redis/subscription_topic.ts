import type { RedisError } from "../errors.ts";
import type { RedisClient, SubscriptionKind } from "./client.ts";

/** What is subscribed to. */
export interface Topic {
  readonly kind: SubscriptionKind;
  readonly name: string;
}

/** What a connection that has subscribed tells. */
export interface SubscriberEvents {
  /** A message arrived on a channel, by what was subscribed to. */
  message(kind: SubscriptionKind, name: string, payload: Uint8Array, channel: string): void;
  /** The server has ended the subscription to a sharded channel, whose slot is on another node now. */
  ended(name: string): void;
}

/** A topic that the server refused. */
export interface RefusedTopic {
  readonly topic: Topic;
  readonly error: RedisError;
}

/** A connection that has subscribed. */
export interface Subscriber {
  /** Resolves when it is lost or closed. */
  readonly lost: Promise<void>;
  /**
   * Subscribes to more: patterns and sharded channels by one command each, then channels by one for all. Resolves when
   * the server has answered, to what it refused. Rejects when channels were refused, or the connection is lost.
   */
  add(topics: readonly Topic[]): Promise<RefusedTopic[]>;
  /** Leaves topics. */
  remove(topics: readonly Topic[]): Promise<unknown>;
  /** Closes it at once. */
  close(): void;
}

/** What subscriptions need of the client that made them. */
export interface SubscriptionHost {
  /** Opens a connection for subscriptions; gives it up when `signal` says so. */
  open(events: SubscriberEvents, signal: AbortSignal): Promise<Subscriber>;
  /** Publishes through another connection. */
  readonly publisher: Pick<RedisClient, "pipeline">;
  /** How often the connection proves that messages still arrive, in milliseconds. @default {10_000} */
  readonly proofEvery?: number;
}

/** How long opening a connection and subscribing on it may take, in milliseconds. */
export const SUBSCRIBED_WITHIN = 5000;

/** What every client of one server can subscribe to. */
export const ALL_KINDS: readonly SubscriptionKind[] = ["channel", "pattern", "sharded"];

/** Refusals that end by themselves. */
const TRANSIENT: ReadonlySet<string> = new Set(["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "LOADING"]);

/** Whether what was refused may be taken later. */
export function isTransient({ code }: RedisError): boolean {
  return TRANSIENT.has(code);
}

/** The names of those topics that are of a kind. */
export function namesOf(topics: readonly Topic[], kind: SubscriptionKind): string[] {
  return topics.filter((topic) => topic.kind === kind).map(({ name }) => name);
}
