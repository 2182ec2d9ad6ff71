import type { EventListener } from "../../observe/events.ts";
import type { Batch } from "../../redis/batch.ts";
import { bucketOf, hashTags } from "../../redis/buckets.ts";
import type { Read } from "../store.ts";
import { RedisSlot } from "./slot.ts";

/** All slots over which a namespace is spread, one for each bucket. */
export class Slots {
  /** Each. */
  readonly all: readonly RedisSlot[];

  constructor(batch: Batch, namespace: string, buckets: number, on: EventListener | undefined, longest: number) {
    this.all = hashTags(namespace, buckets).map((tag) => new RedisSlot(batch, tag, on, longest));
  }

  /** That of a key. */
  of(key: string): RedisSlot {
    return this.all[bucketOf(key, this.all.length)]!;
  }

  /** Keys by their slots. */
  parted(keys: readonly string[]): Map<RedisSlot, string[]> {
    const slots = new Map<RedisSlot, string[]>();
    for (const key of keys) {
      const slot = this.of(key);
      const of = slots.get(slot);
      if (of) of.push(key);
      else slots.set(slot, [key]);
    }
    return slots;
  }

  /** Reads what is new in the records. Resolves to the marks of changes that could not be told. */
  async look(): Promise<string> {
    return (await Promise.all(this.all.map((slot) => slot.look()))).join();
  }

  /** Removes all keys and the ledgers, some at a time; gives how many each time. */
  async *drop(): AsyncGenerator<number> {
    for (const slot of this.all) yield* slot.drop();
  }

  /** Walks over the entries that match and can be served. */
  async *inspect(glob: string): AsyncGenerator<readonly [string, Read]> {
    for (const slot of this.all) yield* slot.inspect(glob);
  }

  /** Gives no lease back any more. */
  close(): void {
    for (const slot of this.all) slot.owed.close();
  }
}
