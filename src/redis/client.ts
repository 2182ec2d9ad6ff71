import type { RedisError, UnavailableError } from "../errors.ts";

/** The nodes of a cluster, each a client of its own: what one of them does says nothing of the others. */
export interface ClusterNodes {
  /** Those that are known and own a part of the keys. */
  readonly owners: Iterable<RedisClient>;
  /**
   * The node that has what the commands are about; for those that name no key one that can be reached. Nothing while
   * that is not known.
   */
  of(commands: readonly RedisCommand[]): RedisClient | undefined;
  /**
   * Where an error reply points: the node that has the keys now, or has them for who is `asking`. Nothing if it points
   * nowhere.
   */
  redirect(error: RedisError): { readonly node: RedisClient; readonly asking: boolean } | undefined;
}

/** What a command takes: text, a number (written in decimal) or bytes. */
export type RedisArgument = string | number | Uint8Array;

/**
 * Takes the next string of a list: what holds it, where it begins and where it ends; -1 and -1 where there is none. The
 * bytes stay as they are.
 */
export type StringTaker = (bytes: Uint8Array, from: number, end: number) => void;

/** One command: its name and its arguments. */
export interface RedisCommand {
  /** The command name, as in `"GET"`. */
  readonly name: string;
  /** The arguments, in order. */
  readonly args: readonly RedisArgument[];
  /** Whether strings in the reply are wanted as text. It is somebody else's command then: the reply may be anything. */
  readonly text?: boolean | undefined;
  /**
   * Takes the strings of the list that it is answered with, one by one as they come, where a client can hand them over
   * so: the reply is how many they were then. Many short strings cost half as much without a view for each.
   */
  readonly into?: StringTaker | undefined;
  /** On a cluster, a key: the command goes to the master that has it, as one that names no key itself. */
  readonly route?: string | undefined;
}

/**
 * What a command is answered with. Strings come as bytes, or as text where {@linkcode RedisCommand.text} says so; error
 * replies come as {@linkcode RedisError} in place.
 */
export type RedisReply = null | number | string | Uint8Array | RedisError | RedisReply[];

/** What is subscribed to: a channel, a glob pattern of channels, or a channel that belongs to a slot of a cluster. */
export type SubscriptionKind = "channel" | "pattern" | "sharded";

/** Told what arrives on a channel, and when messages may have been missed. */
export interface SubscriptionListener {
  /** A message arrived, on that channel. On a cluster, each may arrive once from every master. */
  message(payload: Uint8Array, channel: string): void;
  /** The subscription has just been made, or made again after a loss: whatever was sent before may have been missed. */
  ready(): void;
  /** The subscription was lost; `ready` follows when it is back. */
  lost(): void;
  /**
   * The server refuses a pattern or a sharded channel. What is refused only for now, as while its slot moves, is tried
   * again; the rest when there is another connection.
   */
  refused?(error: RedisError): void;
  /** The server refuses channels, or the message that proves them. Attempts go on. */
  denied?(error: RedisError): void;
}

/** A subscription, until it is disposed of. */
export interface Subscription extends AsyncDisposable {
  /**
   * Sends a message to itself through the server. Resolves to `true` when it has arrived: all that was published before
   * this call has then been delivered too; to `false` when the subscription was lost meanwhile, or is not there.
   */
  prove(): Promise<boolean>;
}

/** A change of the connection that a client reports. */
export type ConnectionChange =
  | { readonly state: "connected" }
  /** With an `error`, a connection could not be made. Without one, it was lost, by the `reason` if that is known. */
  | { readonly state: "disconnected"; readonly error?: unknown; readonly reason?: unknown };

/**
 * How Larder speaks to Redis: the port that each client adapter fills.
 *
 * An adapter sends and receives; deadlines, coalescing and the circuit breaker are above it. It never sends a command
 * twice by itself.
 */
export interface RedisClient {
  /** The client's name, for health reports and errors. */
  readonly name: string;
  /** The host and port of the server, as in `"127.0.0.1:6379"`, if it is known; never with a login. */
  readonly address?: string | undefined;
  /** The number of the database that is used, if it is known. What is published in one is heard in all of them. */
  readonly db?: number | undefined;
  /** Whether the keys are spread over the servers of a Redis Cluster. @default {false} */
  readonly cluster?: boolean;
  /** What is to be known of how it was opened, told as a `warning` when it is connected over. */
  readonly advice?: string | undefined;
  /** The nodes, where each of them is to be used by itself. */
  readonly nodes?: ClusterNodes;
  /** Whether a connection is up now. */
  readonly connected: boolean;
  /**
   * How many connections were opened so far. It rises when a new one is made, or when another server of a cluster takes
   * over, so that whoever keeps state about the server before can look again.
   */
  readonly generation: number;
  /** How many writes may be out at a time; their replies come in the order of the writes. @default {1} */
  readonly inFlight?: number;
  /** Whether so much is on its way to the server that another write would only wait in line. @default {false} */
  readonly congested?: boolean;
  /**
   * When replies were arriving last, by `performance.now()`: at least 16 KiB of them, as opposed to a drop now and
   * then. Who waits for a reply is given time while they are, where a client knows it.
   */
  readonly movedAt?: number;
  /**
   * Sends the commands in one write and resolves to their replies in order. Rejects when the connection failed, and
   * then it is unknown which of them ran. Where a cluster lost only some nodes, an {@linkcode UnavailableError} stands
   * for each reply that cannot come.
   */
  pipeline(commands: readonly RedisCommand[]): Promise<(RedisReply | UnavailableError)[]>;
  /** Gives up the present connection, whose replies are no longer awaited, for a new one. */
  reset(reason: Error): void;
  /** What it can subscribe to. @default {["channel"]} */
  readonly kinds?: readonly SubscriptionKind[];
  /** Subscribes to a channel, or what else it can, until the returned object is disposed of. */
  subscribe(channel: string, listener: SubscriptionListener, kind?: SubscriptionKind): Promise<Subscription>;
  /**
   * Opens another connection of the same kind, for what blocks; it is closed by who asked for it. A client that cannot
   * has none. Where the signal ends it before it is open, the promise settles at once, with or without a closed client.
   */
  apart?(signal?: AbortSignal): Promise<RedisClient>;
  /** Registers the one listener for connection changes. */
  onChange(listener: (change: ConnectionChange) => void): void;
  /** Closes what the adapter opened, and only that. */
  close(): Promise<void>;
}
