import { UnavailableError } from "../../errors.ts";
import type { NodeRedisLike } from "./node_redis_like.ts";
import { type MessageListener, SUBSCRIBED_WITHIN, type Subscriber } from "../subscriptions.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { decoder } from "../../util/utf8.ts";

/** Opens a connection like that of a client, and subscribes on it. It is not made again when it is lost. */
export async function openSubscriber(
  client: NodeRedisLike,
  channels: readonly string[],
  message: MessageListener,
  signal: AbortSignal,
): Promise<Subscriber> {
  signal.throwIfAborted();
  const { promise: lost, resolve: end } = Promise.withResolvers<void>();
  const redis = client.duplicate({
    // That it still hears is proven otherwise.
    pingInterval: undefined,
    socket: { ...client.options?.socket, socketTimeout: undefined, reconnectStrategy: false },
    // What a subscription missed must not clear the caches of the client.
    clientSideCache: undefined,
    emitInvalidate: undefined,
  });
  const close = () => {
    end();
    try {
      if (redis.destroy) redis.destroy();
      else redis.disconnect().catch(() => {});
    } catch {
      // It is closed already.
    }
  };
  redis.on("error", () => end());
  redis.on("end", () => end());
  const connecting = redis.connect();
  // Closing does not cut an attempt to connect short.
  connecting.then(() => signal.aborted && close(), () => {});
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  // One that is accepted and never answered would be waited for without an end.
  const timer = setTimeout(() => reject(new UnavailableError("subscribe", "timeout")), SUBSCRIBED_WITHIN);
  try {
    await Promise.race([connecting, aborted]);
    const take = (payload: Uint8Array, channel: Uint8Array) => {
      const { buffer, byteOffset, byteLength } = payload;
      message(decoder.decode(channel), new Uint8Array(buffer, byteOffset, byteLength));
    };
    await Promise.race([redis.subscribe([...channels], take, true), aborted]);
    return {
      lost,
      close,
      add: (more) => redis.subscribe([...more], take, true),
      remove: (some) => redis.unsubscribe([...some], undefined, true),
    };
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
