/** The part of a `@db/redis` subscription that Larder uses. */
export interface DbRedisSubscriptionLike {
  /** Iterates over the messages, as bytes. */
  receiveBuffers(): AsyncIterableIterator<{ channel: string; message: Uint8Array }>;
  /** Subscribes to more channels. */
  subscribe(...channels: string[]): Promise<void>;
  /** Leaves channels. */
  unsubscribe(...channels: string[]): Promise<void>;
}

/** The part of a `@db/redis` pipeline that Larder uses. */
export interface DbRedisPipelineLike {
  /** Adds a command. */
  sendCommand(name: string, args: (string | number | Uint8Array)[], options: { returnUint8Arrays: boolean }): unknown;
  /** Sends what was added, in one write. */
  flush(): Promise<unknown[]>;
}

/** The part of a `@db/redis` client that Larder uses. */
export interface DbRedisLike {
  /** Whether the connection is up. */
  readonly isConnected: boolean;
  /** Sends one command. */
  sendCommand(
    name: string,
    args?: (string | number | Uint8Array)[],
    options?: { returnUint8Arrays?: boolean },
  ): Promise<unknown>;
  /** Starts a pipeline. */
  pipeline(): DbRedisPipelineLike;
  /** Turns the connection into a subscription. */
  subscribe(...channels: string[]): Promise<DbRedisSubscriptionLike>;
  /** Whether it was closed, as opposed to lost. */
  readonly isClosed?: boolean;
  /** Connects, and logs in. */
  connect(): Promise<void>;
  /** Closes the connection. */
  close(): void;
  /** Listens to connection events. */
  addEventListener?(type: "ready", listener: () => void): void;
}
