import { RedisError } from "../../errors.ts";
import { decoder } from "../../util/utf8.ts";
import {
  namesOf,
  type RefusedTopic,
  type Subscriber,
  type SubscriberEvents,
  type Topic,
} from "../subscription_topic.ts";
import type { RedisReply } from "../client.ts";
import type { RedisAddress } from "./address.ts";
import { openConnection, type OpenOptions } from "./open.ts";

/** A command that is being answered: once for each topic, or by one refusal. */
interface Asked {
  readonly name: string;
  readonly topic: Topic | undefined;
  left: number;
  done(refused?: RedisError): void;
}

/**
 * Opens one connection to subscribe on. It is not made again when it is lost: messages would be missed without a sign.
 */
export async function openSubscriber(
  address: RedisAddress,
  options: OpenOptions,
  events: SubscriberEvents,
): Promise<Subscriber> {
  const connection = await openConnection(address, options);
  const asked: Asked[] = [];
  connection.listen((reply: RedisReply) => {
    if (reply instanceof RedisError) return void asked.shift()?.done(reply);
    const [kind, name, third, payload] = reply as Uint8Array[];
    const what = decoder.decode(kind);
    // What it is told in bytes is a part of much more, and may be kept.
    if (what === "message") {
      const channel = decoder.decode(name);
      return events.message("channel", channel, third!.slice(), channel);
    }
    if (what === "pmessage") {
      return events.message("pattern", decoder.decode(name), payload!.slice(), decoder.decode(third));
    }
    if (what === "smessage") {
      const channel = decoder.decode(name);
      return events.message("sharded", channel, third!.slice(), channel);
    }
    const [first] = asked;
    if (first?.name !== what) {
      if (what === "sunsubscribe") events.ended(decoder.decode(name)); // nobody asked for that
      return;
    }
    if (--first.left > 0) return;
    asked.shift();
    first.done();
  });
  const ask = (name: string, names: readonly string[], topic?: Topic): Promise<RedisError | undefined> => {
    const { promise, resolve } = Promise.withResolvers<RedisError | undefined>();
    asked.push({ name: name.toLowerCase(), topic, left: names.length, done: resolve });
    connection.tell([{ name, args: names }]);
    return promise;
  };
  const { promise: over, reject } = Promise.withResolvers<never>();
  over.catch(() => {});
  const lost = connection.ended.then((reason) => reject(reason));
  return {
    lost,
    async add(topics) {
      const single = topics.filter(({ kind }) => kind !== "channel");
      const asking = single.map(async (topic): Promise<RefusedTopic[]> => {
        const error = await ask(topic.kind === "pattern" ? "PSUBSCRIBE" : "SSUBSCRIBE", [topic.name], topic);
        return error ? [{ topic, error }] : [];
      });
      const channels = namesOf(topics, "channel");
      const all = channels.length > 0 ? ask("SUBSCRIBE", channels) : undefined;
      const [refused, error] = await Promise.race([Promise.all([Promise.all(asking), all]), over]);
      if (error) throw error;
      return refused.flat();
    },
    async remove(topics) {
      const [channels, patterns] = [namesOf(topics, "channel"), namesOf(topics, "pattern")];
      const asking = namesOf(topics, "sharded").map((name) => ask("SUNSUBSCRIBE", [name])); // they may be of many slots
      if (patterns.length > 0) asking.push(ask("PUNSUBSCRIBE", patterns));
      if (channels.length > 0) asking.push(ask("UNSUBSCRIBE", channels));
      const refused = await Promise.race([Promise.all(asking), over]);
      for (const error of refused) if (error) throw error;
    },
    close: () => connection.close(undefined),
  };
}
