import { connect } from "../../mod.ts";
import { openByHand } from "../peers/channels.ts";
import { compare, inRounds } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const OURS = "channel.publish() to the loop";
const HAND = "ioredis by hand";

/** Messages that are published and have arrived in the same process, which is one of many. */
export const CHANNELS: Scenario = {
  name: "channels",
  async run({ server, rounds }) {
    await using redis = await connect({ url: server.url, namespace: "larder-bench", commandTimeout: "10s" });
    await redis.ready({ timeout: "10s" });
    await using byHand = await openByHand(server.url, "larder-bench:hand");
    const channel = redis.pubsub.channel<{ id: number; text: string }>("orders");
    await using messages = channel.subscribe({ buffer: 100_000 });
    await messages.ready;
    const waiting = new Map<number, () => void>();
    const loop = (async () => {
      for await (const { value } of messages) {
        waiting.get(value!.id)?.();
        waiting.delete(value!.id);
      }
    })();
    const send = async (id: number) => {
      const arrived = new Promise<void>((resolve) => waiting.set(id, resolve));
      await channel.publish({ id, text: "an order of cheese" });
      await arrived;
    };
    const contenders = [{ name: OURS, run: send }, { name: HAND, run: (i: number) => byHand.send(i) }];
    const rows = [];
    for (const callers of [1, 64]) {
      const rates = await inRounds(contenders, { callers, rounds });
      rows.push(...compare(`message to a loop, ${callers} publisher${callers > 1 ? "s" : ""}`, rates, [OURS]));
    }
    await messages.return();
    await loop;
    return rows;
  },
};
