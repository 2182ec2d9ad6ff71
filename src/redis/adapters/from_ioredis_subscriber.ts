import { RedisError } from "../../errors.ts";
import type { IoredisLike } from "./ioredis_like.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import { decoder } from "../../util/utf8.ts";
import {
  namesOf,
  type RefusedTopic,
  SUBSCRIBED_WITHIN,
  type Subscriber,
  type SubscriberEvents,
} from "../subscription_topic.ts";

/**
 * Opens a connection like that of a client, to subscribe on. It is not made again when it is lost: who subscribes has
 * to know of that.
 */
export async function openSubscriber(
  client: IoredisLike,
  events: SubscriberEvents,
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
  redis.on("error", close); // one of the connection is followed by its end; after another it may be out of step
  redis.on("end", () => end());
  const sharded = new Set<string>();
  /** Who waits to be subscribed to a sharded channel, in the order of the answers. */
  const joining: ((moved: RedisError) => void)[] = [];
  // Either one that was asked for is refused, of which the client says no more than this, or one was ended by the
  // server: the client does not say which, nor hears others after the last of them.
  redis.on("moved", () => joining.length > 0 ? joining.shift()!(new RedisError("MOVED to another node")) : close());
  const subscribeSharded = async (name: string): Promise<void> => {
    const { promise: moved, reject } = Promise.withResolvers<never>();
    joining.push(reject);
    try {
      await Promise.race([redis.ssubscribe!(name), moved]);
      sharded.add(name);
    } finally {
      if (joining.includes(reject)) joining.splice(joining.indexOf(reject), 1);
    }
  };
  redis.on("messageBuffer", (name, payload) => {
    const channel = decoder.decode(name as Uint8Array);
    events.message("channel", channel, bytesOf(payload), channel);
  });
  redis.on("smessageBuffer", (name, payload) => {
    const channel = decoder.decode(name as Uint8Array);
    events.message("sharded", channel, bytesOf(payload), channel);
  });
  redis.on("pmessageBuffer", (pattern, name, payload) => {
    events.message("pattern", String(pattern), bytesOf(payload), decoder.decode(name as Uint8Array));
  });
  signal.addEventListener("abort", close, { once: true });
  // One that is accepted and never answered would be waited for without an end.
  const timer = setTimeout(close, SUBSCRIBED_WITHIN);
  try {
    signal.throwIfAborted();
    await redis.connect();
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", close);
  }
  return {
    lost,
    close,
    async add(topics) {
      const refused: RefusedTopic[] = [];
      const asking = topics.filter(({ kind }) => kind !== "channel").map(async (topic) => {
        try {
          await (topic.kind === "pattern" ? redis.psubscribe(topic.name) : subscribeSharded(topic.name));
        } catch (error) {
          refused.push({ topic, error: refusalOf(error) });
        }
      });
      const channels = namesOf(topics, "channel");
      if (channels.length > 0) asking.push(redis.subscribe(...channels).then(() => {}));
      await Promise.all(asking);
      return refused;
    },
    async remove(topics) {
      const [channels, patterns] = [namesOf(topics, "channel"), namesOf(topics, "pattern")];
      const asking: Promise<unknown>[] = [];
      for (const name of namesOf(topics, "sharded")) {
        // Without any of them the client would take messages of other channels for replies: the last one stays.
        if (sharded.size > 1 && sharded.delete(name)) asking.push(redis.sunsubscribe!(name));
      }
      if (patterns.length > 0) asking.push(redis.punsubscribe(...patterns));
      if (channels.length > 0) asking.push(redis.unsubscribe(...channels));
      await Promise.all(asking);
    },
  };
}

function bytesOf(payload: unknown): Uint8Array {
  const { buffer, byteOffset, byteLength } = payload as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** What the server said; anything else is thrown on. */
function refusalOf(error: unknown): RedisError {
  if (error instanceof RedisError) return error;
  if (error instanceof Error && error.name === "ReplyError") return new RedisError(error.message);
  throw error;
}
