import type { EventListener } from "../observe/events.ts";
import { type Durability, durabilityOf } from "./durability.ts";
import { Replication } from "./replication.ts";
import type { ReplicaWait } from "./wait_for_replicas.ts";

/** A store, as far as replicas go. */
interface ReplicatedStore {
  assertReplicates?(): void;
}

/** The calls of a service that wait for replicas: all that write where the service says so, and each that says so. */
export class ReplicaCalls {
  readonly #store: ReplicatedStore;
  readonly #wait: ReplicaWait | undefined;
  readonly #on: EventListener | undefined;

  /**
   * @param store What writes.
   * @param durability For all calls that say nothing else.
   * @param action What is attempted, for errors.
   * @param on Told of what replicas did not have in time.
   * @throws {TypeError | RangeError} If it makes no sense, or the store cannot wait for replicas.
   */
  constructor(
    store: ReplicatedStore,
    durability: Durability | undefined,
    action: string,
    on: EventListener | undefined,
  ) {
    this.#store = store;
    this.#wait = durabilityOf(durability, action);
    this.#on = on;
    if (this.#wait) store.assertReplicates?.();
  }

  /** What a call is to tell of all that it writes; nothing where it waits for none. */
  begin(durability: Durability | undefined, action: string): Replication | undefined {
    if (durability === undefined) return this.#wait && new Replication(this.#wait);
    const wait = durabilityOf(durability, action)!;
    this.#store.assertReplicates?.();
    return new Replication(wait);
  }

  /** Resolves to whether replicas have what a call wrote; `false` where it wrote nothing. */
  async end(
    replication: Replication | undefined,
    operation: string,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (!replication) return false;
    const reached = await replication.reached(signal);
    if (!reached && replication.wrote) {
      this.#on?.({ type: "replicas.missed", operation, replicas: replication.wait.replicas });
    }
    return reached;
  }

  /** The same, told of what was written. */
  async told<Written extends object>(
    written: Written,
    replication: Replication | undefined,
    operation: string,
    signal: AbortSignal | undefined,
  ): Promise<Written> {
    if (!replication) return written;
    return { ...written, replicated: await this.end(replication, operation, signal) };
  }
}
