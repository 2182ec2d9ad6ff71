import { describe } from "../util/describe.ts";
import { type Duration, type DurationLimits, toMilliseconds } from "../util/duration.ts";
import { assertOptions, type OptionNames, optionNames } from "../util/option_names.ts";
import type { RedisClient } from "./client.ts";
import type { ReplicaWait } from "./wait_for_replicas.ts";

/** On how many replicas what is written has to be before a call resolves. */
export interface Durability {
  /** How many replicas: from 1 to 100. */
  replicas: number;
  /** How long to wait for them: from 1 ms to a minute. @default {"100ms"} */
  timeout?: Duration | undefined;
}

const NAMES: OptionNames = optionNames<Durability>({ replicas: true, timeout: true });

/** How many replicas there can be, and how long somebody waits for them. */
export const REPLICAS = { min: 1, max: 100 } as const;
export const REPLICA_TIMEOUT: DurationLimits = { min: 1, max: 60_000 };

/**
 * Checks how durable something has to be, and fills in what is not given.
 *
 * @throws {TypeError | RangeError} If it makes no sense.
 */
export function durabilityOf(given: Durability | undefined, action: string): ReplicaWait | undefined {
  if (given === undefined) return undefined;
  assertOptions(given, NAMES, action);
  const { replicas, timeout = "100ms" } = given;
  const { min, max } = REPLICAS;
  if (!Number.isInteger(replicas) || replicas < min || replicas > max) {
    const message = `Cannot ${action}: wanted "replicas" from ${min} to ${max}, got ${describe(replicas)}`;
    throw typeof replicas === "number" ? new RangeError(message) : new TypeError(message);
  }
  return { replicas, timeout: Math.ceil(toMilliseconds(timeout, "timeout", REPLICA_TIMEOUT)) };
}

/**
 * Says that replicas cannot be waited for over a client.
 *
 * @throws {TypeError} If it cannot open another connection.
 */
export function assertReplicates({ name, apart }: RedisClient, what: string): void {
  if (apart) return;
  throw new TypeError(
    `Cannot wait for replicas of ${what}: wanted a Redis by its URL, or a client that can open another connection, ` +
      `got a client "${name}"`,
  );
}
