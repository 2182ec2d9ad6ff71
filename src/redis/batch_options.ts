import type { RedisMeter } from "../observe/redis_meter.ts";
import type { DiagnosisOptions } from "./diagnosis.ts";
import type { Redirect } from "./cluster/redirect.ts";
import type { BatchObserver, WriteTracer } from "../observe/batch_observer.ts";

/** How a batch works. */
export interface BatchOptions extends DiagnosisOptions {
  /** Milliseconds after which a call is given up. */
  commandTimeout: number;
  /** Commands that may wait at a time. @default {100_000} */
  maxQueued?: number;
  /** Measures each call. */
  meter?: RedisMeter | undefined;
  /** Told about each call, too. */
  observer?: BatchObserver | undefined;
  /** Has a call go on at another node, where an error reply points there. */
  redirect?: Redirect | undefined;
  /** Runs each write. */
  trace?: WriteTracer | undefined;
}
