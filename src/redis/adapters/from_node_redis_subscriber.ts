import { RedisError, UnavailableError } from "../../errors.ts";
import { duplicateNodeRedis } from "./duplicate_node_redis.ts";
import type { NodeRedisLike } from "./node_redis_like.ts";
import {
  namesOf,
  type RefusedTopic,
  SUBSCRIBED_WITHIN,
  type Subscriber,
  type SubscriberEvents,
  type Topic,
} from "../subscription_topic.ts";
import { isErrorReply } from "./replies.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { decoder } from "../../util/utf8.ts";

/** Opens a connection like that of a client, to subscribe on. It is not made again when it is lost. */
export async function openSubscriber(
  client: NodeRedisLike,
  events: SubscriberEvents,
  signal: AbortSignal,
): Promise<Subscriber> {
  signal.throwIfAborted();
  const { promise: lost, resolve: end } = Promise.withResolvers<void>();
  const made = duplicateNodeRedis(client, {
    // That it still hears is proven otherwise.
    pingInterval: undefined,
    socket: { ...client.options?.socket, socketTimeout: undefined },
    // What a subscription missed must not clear the caches of the client.
    clientSideCache: undefined,
    emitInvalidate: undefined,
  });
  const { redis } = made;
  const close = () => {
    end();
    made.close();
  };
  redis.on("error", () => end());
  redis.on("end", () => end());
  redis.on("sharded-channel-moved", (name) => events.ended(String(name)));
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  // One that is accepted and never answered would be waited for without an end.
  const timer = setTimeout(() => reject(new UnavailableError("subscribe", "timeout")), SUBSCRIBED_WITHIN);
  try {
    await Promise.race([redis.connect(), aborted]);
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
  const taking = (kind: Topic["kind"], pattern?: string) => (payload: Uint8Array, name: Uint8Array) => {
    const channel = decoder.decode(name);
    const { buffer, byteOffset, byteLength } = payload;
    events.message(kind, pattern ?? channel, new Uint8Array(buffer, byteOffset, byteLength), channel);
  };
  const [take, takeSharded] = [taking("channel"), taking("sharded")];
  return {
    lost,
    close,
    async add(topics) {
      const refused: RefusedTopic[] = [];
      const asking = topics.filter(({ kind }) => kind !== "channel").map(async (topic) => {
        const { kind, name } = topic;
        try {
          if (kind === "pattern") await redis.pSubscribe([name], taking(kind, name), true);
          else await redis.sSubscribe([name], takeSharded, true);
        } catch (error) {
          if (!isErrorReply(error)) throw error;
          refused.push({ topic, error: new RedisError(error.message) });
        }
      });
      const channels = namesOf(topics, "channel");
      if (channels.length > 0) asking.push(redis.subscribe(channels, take, true).then(() => {}));
      await Promise.all(asking);
      return refused;
    },
    async remove(topics) {
      const [channels, patterns] = [namesOf(topics, "channel"), namesOf(topics, "pattern")];
      const asking = namesOf(topics, "sharded").map((name) => redis.sUnsubscribe([name], undefined, true));
      if (patterns.length > 0) asking.push(redis.pUnsubscribe(patterns, undefined, true));
      if (channels.length > 0) asking.push(redis.unsubscribe(channels, undefined, true));
      await Promise.all(asking);
    },
  };
}
