import type { IoredisLike } from "./ioredis_like.ts";
import { type MessageListener, SUBSCRIBED_WITHIN, type Subscriber } from "../subscriptions.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { decoder } from "../../util/utf8.ts";

/**
 * Opens a connection like that of a client, and subscribes on it. It is not made again when it is lost: who subscribes
 * has to know of that.
 */
export async function openSubscriber(
  client: IoredisLike,
  channels: readonly string[],
  message: MessageListener,
  signal: AbortSignal,
): Promise<Subscriber> {
  const redis = client.duplicate({
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
  });
  const { promise: lost, resolve: end } = Promise.withResolvers<void>();
  const close = () => {
    if (redis.status === "end") return;
    redis.disconnect();
    redis.stream?.destroy(); // it would wait for a server that hangs
  };
  redis.on("error", () => {}); // followed by its end
  redis.on("end", () => end());
  redis.on("messageBuffer", (channel, payload) => {
    const { buffer, byteOffset, byteLength } = payload as Uint8Array;
    message(decoder.decode(channel as Uint8Array), new Uint8Array(buffer, byteOffset, byteLength));
  });
  signal.addEventListener("abort", close, { once: true });
  // One that is accepted and never answered would be waited for without an end.
  const timer = setTimeout(close, SUBSCRIBED_WITHIN);
  try {
    signal.throwIfAborted();
    await redis.connect();
    await redis.subscribe(...channels);
    return {
      lost,
      close,
      add: (more) => redis.subscribe(...more),
      remove: (some) => redis.unsubscribe(...some),
    };
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", close);
  }
}
