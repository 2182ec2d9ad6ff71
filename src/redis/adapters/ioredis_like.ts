/** Where servers are reached that others know under other addresses, as `"10.0.0.1:6379"`. */
export type IoredisNatMapLike =
  | Readonly<Record<string, { readonly host: string; readonly port: number }>>
  | ((address: string) => { readonly host: string; readonly port: number } | null)
  | null
  | undefined;

/** The options of an `ioredis` client that matter to Larder. */
export interface IoredisOptionsLike {
  /** The host, unless it is told by Sentinels. */
  readonly host?: string | undefined;
  /** The port. */
  readonly port?: number | undefined;
  /** The number of the database. */
  readonly db?: number | undefined;
  /** The path of a socket. */
  readonly path?: string | undefined;
  /** The Sentinels that know the server. */
  readonly sentinels?:
    | readonly { readonly host?: string | undefined; readonly port?: number | undefined }[]
    | null
    | undefined;
  /** The name by which the Sentinels know it. */
  readonly name?: string | null | undefined;
  /** Which server is wanted of those that the Sentinels know. Has to be the primary. */
  readonly role?: string | undefined;
  /** The login at the Sentinels. */
  readonly sentinelUsername?: string | null | undefined;
  /** The password at the Sentinels. */
  readonly sentinelPassword?: string | null | undefined;
  /** Options of TLS to the Sentinels. */
  readonly sentinelTLS?: unknown;
  /** Options of TLS to the server. */
  readonly tls?: unknown;
  /** Whether TLS is used to the server behind Sentinels. */
  readonly enableTLSForSentinelMode?: boolean | undefined;
  /** Where servers and Sentinels are reached that the Sentinels know under other addresses. */
  readonly natMap?: IoredisNatMapLike;
  /** How often a command is tried on other connections. Has to be 0. */
  readonly maxRetriesPerRequest?: number | null | undefined;
  /** Milliseconds after which the client itself gives a command up. Has to be left out. */
  readonly commandTimeout?: number | undefined;
  /** When it connects again. */
  readonly retryStrategy?: unknown;
  /** What the client puts before each key. Has to be empty. */
  readonly keyPrefix?: string | Uint8Array | undefined;
  /** Whether integers come as strings. Has to be off. */
  readonly stringNumbers?: boolean | undefined;
}

/** The part of an `ioredis` pipeline that Larder uses. */
export interface IoredisPipelineLike {
  /** Adds a command whose reply is wanted as bytes. */
  callBuffer(name: string, args: (string | number | Uint8Array)[]): unknown;
  /** Sends what was added, in one write. */
  exec(): Promise<[error: Error | null, reply: unknown][] | null>;
}

/** The part of an `ioredis` client of one server, or of one group of Sentinels, that Larder uses. */
export interface IoredisLike {
  /** What it was opened with. */
  readonly options: IoredisOptionsLike;
  /** What its connection is doing; `"ready"` when commands can be sent. */
  readonly status: string;
  /** Whether it is a client of a cluster. */
  readonly isCluster: boolean;
  /** The socket, once it was opened. */
  readonly stream: { destroy(): unknown } | undefined;
  /** Sends one command whose reply is wanted as bytes. */
  callBuffer(name: string, args: (string | number | Uint8Array)[]): Promise<unknown>;
  /** Starts a pipeline. */
  pipeline(): IoredisPipelineLike;
  /** Makes another client with the same options. */
  duplicate(override?: object): IoredisLike;
  /** Connects. */
  connect(): Promise<void>;
  /** Closes the connection, or replaces it. */
  disconnect(reconnect?: boolean): void;
  /** Subscribes to channels. */
  subscribe(...channels: string[]): Promise<unknown>;
  /** Leaves channels. */
  unsubscribe(...channels: string[]): Promise<unknown>;
  /** Subscribes to patterns of channels. */
  psubscribe(...patterns: string[]): Promise<unknown>;
  /** Leaves patterns. */
  punsubscribe(...patterns: string[]): Promise<unknown>;
  /** Subscribes to sharded channels of one slot. */
  ssubscribe?(...channels: string[]): Promise<unknown>;
  /** Leaves sharded channels of one slot. */
  sunsubscribe?(...channels: string[]): Promise<unknown>;
  /** Adds a listener. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Removes a listener. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** The options of an `ioredis` cluster client that matter to Larder. */
export interface IoredisClusterOptionsLike {
  /** Milliseconds until a command that was lost with its connection is sent again. Has to be 0, which means never. */
  readonly retryDelayOnFailover?: number | undefined;
  /** How the connection to a node is made again. */
  readonly clusterNodeRetryStrategy?: unknown;
  /** What the client puts before each key. Has to be empty. */
  readonly keyPrefix?: string | Uint8Array | undefined;
  /** Where nodes are reached that the cluster knows under other addresses. */
  readonly natMap?: IoredisNatMapLike;
  /** Whether commands of one tick are sent together by the client itself. Has to be off. */
  readonly enableAutoPipelining?: boolean | undefined;
  /** Options of the connections to the nodes. */
  readonly redisOptions?: IoredisOptionsLike | undefined;
}

/** The part of an `ioredis` cluster client that Larder uses. */
export interface IoredisClusterLike {
  /** What it was opened with. */
  readonly options: IoredisClusterOptionsLike;
  /** What it is doing; `"ready"` when commands can be sent. */
  readonly status: string;
  /** Whether it is a client of a cluster. */
  readonly isCluster: boolean;
  /** Sends one command, to the node that has its keys, whose reply is wanted as bytes. */
  callBuffer(name: string, args: (string | number | Uint8Array)[]): Promise<unknown>;
  /** The clients of the nodes. */
  nodes(role?: "all" | "master"): IoredisLike[];
  /** Connects. */
  connect(): Promise<void>;
  /** Adds a listener. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Removes a listener. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}
