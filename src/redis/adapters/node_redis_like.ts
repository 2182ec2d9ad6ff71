import type { Buffer } from "node:buffer";

/** The options of a client of `npm:redis` that matter to Larder. */
export interface NodeRedisOptionsLike {
  /** How its socket is opened, and when it is given up. */
  readonly socket?: object | undefined;
  /** The number of the database. */
  readonly database?: number | undefined;
  /** How often an idle connection is asked whether it is still there, in milliseconds. */
  readonly pingInterval?: number | undefined;
  /** How many commands may wait in the client. Has to be left out. */
  readonly commandsQueueMaxLength?: number | undefined;
  /** Whether it is for the replicas of a cluster. Has to be off. */
  readonly readonly?: boolean | undefined;
  /** Whether it has the functions of version 3. Has to be off. */
  readonly legacyMode?: boolean | undefined;
  /** What the client puts before each key. Has to be empty. */
  readonly keyPrefix?: string | Uint8Array | undefined;
}

/** The part of a client of `npm:redis` that Larder uses. */
export interface NodeRedisLike {
  /** Whether it is connected, or trying to be. */
  readonly isOpen: boolean;
  /** Whether commands can be sent. */
  readonly isReady: boolean;
  /** What it was opened with. */
  readonly options?: NodeRedisOptionsLike | undefined;
  /** Sends one command. */
  sendCommand(args: (string | Buffer)[], options?: object): Promise<unknown>;
  /** Makes another client with the same options. */
  duplicate(overrides?: object): NodeRedisLike;
  /** Connects. */
  connect(): Promise<unknown>;
  /** Subscribes to channels; the listener gets bytes. */
  subscribe(
    channels: string[],
    listener: (message: Buffer, channel: Buffer) => unknown,
    bufferMode: true,
  ): Promise<unknown>;
  /** Leaves channels. */
  unsubscribe(channels: string[], listener: undefined, bufferMode: true): Promise<unknown>;
  /** Subscribes to patterns of channels. */
  pSubscribe(
    patterns: string[],
    listener: (message: Buffer, channel: Buffer) => unknown,
    bufferMode: true,
  ): Promise<unknown>;
  /** Leaves patterns. */
  pUnsubscribe(patterns: string[], listener: undefined, bufferMode: true): Promise<unknown>;
  /** Subscribes to sharded channels of one slot. */
  sSubscribe(
    channels: string[],
    listener: (message: Buffer, channel: Buffer) => unknown,
    bufferMode: true,
  ): Promise<unknown>;
  /** Leaves sharded channels of one slot. */
  sUnsubscribe(channels: string[], listener: undefined, bufferMode: true): Promise<unknown>;
  /** Closes the connection at once; from version 5 on. */
  destroy?(): unknown;
  /** Closes the connection at once; in version 4. */
  disconnect(): Promise<unknown>;
  /** Adds a listener. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Removes a listener. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
  /** How many listen. */
  listenerCount?(event: string): number;
}

/** The part of a cluster client of `npm:redis` that Larder uses. */
export interface NodeRedisClusterLike {
  /** The nodes that own slots, once it is connected. */
  readonly masters: readonly NodeRedisNodeLike[];
  /** Makes another cluster client with the same options. */
  duplicate(overrides?: object): unknown;
  /** Gives the client of a node. */
  nodeClient(node: never): unknown;
  /** Adds a listener. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** A node of a cluster client of `npm:redis`. */
export interface NodeRedisNodeLike {
  /** Its host, as the cluster knows it. */
  readonly host: string;
  /** Its port, as the cluster knows it. */
  readonly port: number;
  /** Its client. */
  readonly client?: NodeRedisLike | undefined;
}
