import type { Channel, Larder } from "@larder/larder";
import { z } from "zod";

/** What is sold. */
export interface Order {
  readonly item: string;
}

/** Checks an order. */
export const Order: z.ZodType<Order> = z.object({ item: z.string().trim().min(1).max(80) });

/** An order with its number. */
export interface PlacedOrder extends Order {
  readonly id: number;
}

/** How many orders are kept. */
const KEPT = 20;

/** Orders that were placed: told at once, and the latest of them kept for who comes later or has missed some. */
export class Orders {
  readonly channel: Channel<PlacedOrder>;
  readonly #redis: Larder;

  constructor(redis: Larder) {
    this.#redis = redis;
    this.channel = redis.pubsub.channel<PlacedOrder>("orders");
  }

  /** The latest, oldest first. */
  async latest(): Promise<PlacedOrder[]> {
    return await this.#redis.cache.get<PlacedOrder[]>("orders:latest") ?? [];
  }

  /** Places an order. */
  async place(given: Order): Promise<PlacedOrder> {
    const placed = await this.#redis.locks.withLock("orders", { ttl: "5s", wait: "2s" }, async () => {
      const latest = await this.latest();
      const placed = { id: (latest.at(-1)?.id ?? 0) + 1, ...given };
      await this.#redis.cache.set("orders:latest", [...latest, placed].slice(-KEPT), { ttl: "1d" });
      return placed;
    });
    await this.channel.publish(placed); // after it is kept: who is told of a gap reads what is kept
    return placed;
  }
}
