import type { Batch } from "../redis/batch.ts";
import { connectionText } from "../redis/connection_text.ts";

/** How one node of a Redis Cluster stands. */
export interface NodeHealth {
  /** Its host and port. */
  readonly address: string;
  /** Whether it answered just now. */
  readonly answers: boolean;
  /** Whether a connection is up. */
  readonly connected: boolean;
  /** The state of its circuit breaker: an open one costs only what this node has. */
  readonly circuit: "closed" | "half-open" | "open";
  /** How long a round trip took, in milliseconds; absent when it did not answer. */
  readonly latency?: number;
  /** Why it does not answer, as the connection gave it. */
  readonly error?: string;
}

/** Asks each node of a cluster how it is, all at once; none where there is no cluster. */
export function checkNodes(batch: Batch, signal: AbortSignal | undefined): Promise<NodeHealth[]> {
  return Promise.all(batch.nodes.map((node) => checkNode(node, signal)));
}

async function checkNode(batch: Batch, signal: AbortSignal | undefined): Promise<NodeHealth> {
  const { client } = batch;
  const began = performance.now();
  const problem = await batch.send("PING", [], { operation: "check health", signal }).then(() => undefined, String);
  const latency = performance.now() - began;
  const known = { address: client.address ?? "", connected: client.connected, circuit: batch.circuit };
  if (problem === undefined) return { ...known, answers: true, latency: Math.round(latency * 1000) / 1000 };
  return { ...known, answers: false, error: connectionText(batch.diagnosis.problem ?? problem) };
}
