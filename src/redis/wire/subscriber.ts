import { RedisError } from "../../errors.ts";
import { decoder } from "../../util/utf8.ts";
import type { MessageListener, Subscriber } from "../subscriptions.ts";
import type { RedisReply } from "../client.ts";
import type { RedisAddress } from "./address.ts";
import { openConnection, type OpenOptions } from "./open.ts";

/**
 * Opens one connection and subscribes on it. It is not made again when it is lost: messages would be missed without a
 * sign.
 */
export async function openSubscriber(
  address: RedisAddress,
  options: OpenOptions,
  channels: readonly string[],
  message: MessageListener,
): Promise<Subscriber> {
  const connection = await openConnection(address, options);
  const { promise: subscribed, resolve, reject } = Promise.withResolvers<void>();
  let left = channels.length;
  const close = () => connection.close(undefined);
  connection.listen((reply: RedisReply) => {
    const refused = reply instanceof RedisError ? reply : undefined;
    if (refused) {
      reject(refused);
      return connection.close(refused);
    }
    const [kind, channel, payload] = reply as Uint8Array[];
    // What it is told in bytes is a part of much more, and may be kept.
    if (is(kind, MESSAGE)) message(decoder.decode(channel), payload!.slice());
    else if (left > 0 && is(kind, SUBSCRIBE) && --left === 0) resolve();
  });
  const subscribe = (some: readonly string[]) => connection.tell([{ name: "SUBSCRIBE", args: some }]);
  const lost = connection.ended.then((reason) => reject(reason));
  const stop = () => connection.close(options.signal.reason);
  options.signal.addEventListener("abort", stop);
  if (options.signal.aborted) stop();
  subscribe(channels);
  try {
    await subscribed;
  } finally {
    options.signal.removeEventListener("abort", stop);
  }
  return {
    lost,
    add: (more) => Promise.resolve(subscribe(more)),
    remove: (some) => Promise.resolve(connection.tell([{ name: "UNSUBSCRIBE", args: some }])),
    close,
  };
}

const MESSAGE = "message";
const SUBSCRIBE = "subscribe";

function is(bytes: Uint8Array | undefined, text: string): boolean {
  return bytes?.length === text.length && decoder.decode(bytes) === text;
}
