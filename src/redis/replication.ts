import { abortable } from "../util/abort.ts";
import type { Batch } from "./batch.ts";
import type { RedisArgument, RedisReply } from "./client.ts";
import type { Script } from "./script.ts";
import type { SendOptions } from "./call.ts";
import { keptFor, type ReplicaWait } from "./wait_for_replicas.ts";

/** What one call has written, and whether replicas have it. */
export class Replication {
  /** How many have to, and for how long that is waited for. */
  readonly wait: ReplicaWait;
  readonly #waits: Promise<number>[] = [];

  /**
   * Creates one.
   *
   * @param wait How many have to have it, and for how long that is waited for.
   */
  constructor(wait: ReplicaWait) {
    this.wait = wait;
  }

  /** Whether anything was written where there may be replicas. */
  get wrote(): boolean {
    return this.#waits.length > 0;
  }

  /** Adds something that was written, and how many replicas have it in time. */
  add(count: Promise<number>): void {
    this.#waits.push(count);
  }

  /** Resolves to whether all of it has reached so many replicas in time; `false` where nothing was written. */
  async reached(signal?: AbortSignal): Promise<boolean> {
    const counts = await abortable(Promise.all(this.#waits), signal);
    return this.wrote && counts.every((count) => count >= this.wait.replicas);
  }
}

/**
 * Runs a script, as {@linkcode Script.run} does. Where a replication is given, the same step leaves a mark in the slot
 * of the hash tag, by which it is known where what it wrote is, and the replication waits for the replicas there.
 */
export async function runReplicated(
  batch: Batch,
  script: Script,
  keys: readonly RedisArgument[],
  args: readonly RedisArgument[],
  options: SendOptions,
  tag: string,
  replication: Replication | undefined,
): Promise<RedisReply> {
  if (!replication) return await script.run(batch, keys, args, { ...options, whole: script.isNew(batch) });
  const { marked } = script;
  const mark = batch.replicas.mark(tag);
  const marks = [...args, keptFor(replication.wait)];
  const reply = await marked.run(batch, [...keys, mark], marks, { ...options, whole: marked.isNew(batch) });
  replication.add(batch.replicas.wait(mark, replication.wait, options.signal));
  return reply;
}
