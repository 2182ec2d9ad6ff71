import { Redis } from "ioredis";

/** Messages by a peer. */
export interface PeerChannel extends AsyncDisposable {
  /** Publishes a message, and resolves when it has arrived. */
  send(id: number): Promise<void>;
}

/** What is written by hand: JSON, and two connections of `npm:ioredis`. */
export async function openByHand(url: string, channel: string): Promise<PeerChannel> {
  const [publisher, subscriber] = [1, 2].map(() => new Redis(url, { lazyConnect: true }));
  await Promise.all([publisher!.connect(), subscriber!.connect()]);
  const waiting = new Map<number, () => void>();
  subscriber!.on("message", (_channel: string, text: string) => {
    const { id } = JSON.parse(text) as { id: number };
    waiting.get(id)?.();
    waiting.delete(id);
  });
  await subscriber!.subscribe(channel);
  return {
    async send(id) {
      const arrived = new Promise<void>((resolve) => waiting.set(id, resolve));
      await publisher!.publish(channel, JSON.stringify({ id, text: "an order of cheese" }));
      await arrived;
    },
    async [Symbol.asyncDispose]() {
      publisher!.disconnect();
      subscriber!.disconnect();
      await Promise.resolve();
    },
  };
}
