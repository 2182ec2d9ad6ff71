import { connect, type Larder, type LarderEvent } from "../../../mod.ts";
import type { ConnectOptions } from "../../../mod.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** Bytes that a slow line carries in a second. */
export const RATE = 8_000_000;

/** Services on one cache. */
export interface OverALine extends AsyncDisposable {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
  /** Behind the line. */
  readonly redis: Larder;
  /** Beside the server. */
  readonly other: Larder;
  /** What failed behind the line. */
  readonly errors: (LarderEvent & { type: "cache.error" })[];
}

/**
 * One service over a line, with the default deadline unless it is not what the test is about, and one beside the
 * server.
 */
export async function openOverALine(
  bytesPerSecond: number = RATE,
  commandTimeout: string = "500ms",
  cache: ConnectOptions["cache"] = {},
): Promise<OverALine> {
  const server = await RedisServer.start();
  const proxy = TcpProxy.start(server);
  const errors: OverALine["errors"] = [];
  const redis = await connect({
    url: proxy.url,
    namespace: "big",
    commandTimeout,
    cache,
    on: (event) => void (event.type === "cache.error" && errors.push(event)),
  });
  // It only prepares what is tried.
  const other = await connect({ url: server.url, namespace: "big", commandTimeout: "30s" });
  proxy.bytesPerSecond = bytesPerSecond;
  return {
    server,
    proxy,
    redis,
    other,
    errors,
    async [Symbol.asyncDispose]() {
      await redis.close();
      await other.close();
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Values by key. */
export function manyOf<T>(count: number, value: (i: number) => T): Map<string, T> {
  return new Map(Array.from({ length: count }, (_, i) => [`key:${i}`, value(i)]));
}
