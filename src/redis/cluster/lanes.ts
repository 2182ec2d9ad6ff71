import { type ClosedBy, UnavailableError } from "../../errors.ts";
import type { Waiting } from "../call.ts";
import type { ClusterNodes, RedisClient } from "../client.ts";
import { type ErrorMaker, refuse } from "../queue.ts";
import { HOPS } from "./pipeline.ts";
import { followed, type Redirect } from "./redirect.ts";

/** What writes to one node. */
export interface Lane {
  /** Whether nothing waits in it. */
  readonly idle: boolean;
  /** Gives away what waits to be written. */
  withdraw(): readonly Waiting[];
  /** Takes calls over. */
  adopt(calls: readonly Waiting[]): void;
  /** Fails all that waits. */
  close(by?: ClosedBy): Promise<void>;
}

/**
 * A batch for each node of a cluster: its writes, its deadlines and its circuit breaker are its own, so what one node
 * does not do costs only those who need it.
 */
export class Lanes<Batch extends Lane> {
  readonly #nodes: ClusterNodes;
  readonly #open: (node: RedisClient, redirect: Redirect) => Batch;
  readonly #lanes = new Map<RedisClient, Batch>();

  /** `open` makes the batch of a node. */
  constructor(nodes: ClusterNodes, open: (node: RedisClient, redirect: Redirect) => Batch) {
    this.#nodes = nodes;
    this.#open = open;
  }

  /** The batches of the nodes that own a part of the keys. */
  get all(): Batch[] {
    return [...this.#nodes.owners].map((node) => this.#laneOf(node));
  }

  /** Has each call written to its node; those whose node nobody knows fail. */
  deal(calls: readonly Waiting[], error: ErrorMaker): void {
    const parts = new Map<RedisClient, Waiting[]>();
    for (const call of [...this.#stranded(), ...calls]) {
      const node = this.#nodes.of(call.before === undefined ? [call] : [...call.before, call]);
      const part = node && parts.get(node);
      if (!node) refuse(call, error(call.operation, "connection", unknownNode()));
      else if (part) part.push(call);
      else parts.set(node, [call]);
    }
    for (const [node, part] of parts) this.#laneOf(node).adopt(part);
  }

  /** Closes all. */
  async close(by: ClosedBy | undefined): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close(by)));
    this.#lanes.clear();
  }

  /** What waits for a connection to a node that has lost its keys to another: nothing of it was sent. */
  #stranded(): readonly Waiting[] {
    let owners: Set<RedisClient> | undefined;
    const all: Waiting[] = [];
    for (const [node, lane] of this.#lanes) {
      if (node.connected || lane.idle) continue;
      owners ??= new Set(this.#nodes.owners);
      if (!owners.has(node)) all.push(...lane.withdraw());
    }
    return all;
  }

  readonly #redirect: Redirect = (call, error) => {
    const to = this.#nodes.redirect(error);
    if (!to || (call.hops ?? 0) >= HOPS) return false;
    this.#laneOf(to.node).adopt([followed(call, to.asking)]);
    return true;
  };

  #laneOf(node: RedisClient): Batch {
    const known = this.#lanes.get(node);
    if (known) return known;
    this.#forget();
    const lane = this.#open(node, this.#redirect);
    this.#lanes.set(node, lane);
    return lane;
  }

  /** Nodes that are gone are closed by who opened them. */
  #forget(): void {
    const owners = new Set(this.#nodes.owners);
    for (const [node, lane] of this.#lanes) if (!owners.has(node) && lane.idle) this.#lanes.delete(node);
  }
}

function unknownNode(): UnavailableError {
  return new UnavailableError("find the node of a slot", "connection");
}
