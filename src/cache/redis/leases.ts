import { RedisError, type UnavailableError } from "../../errors.ts";
import type { Batch, Call, CallSource } from "../../redis/batch.ts";
import type { RedisArgument, RedisReply } from "../../redis/client.ts";
import { Deadline } from "../../redis/deadline.ts";
import { LEASE } from "./entry_scripts.ts";
import { Part } from "../parts.ts";
import { nonceFor } from "./nonce.ts";
import type { RunCheck } from "./run_check.ts";

/** What is done with a lease. */
export type LeaseAction = "extend" | "release" | "remove";

/** Something to be done with a lease that waits for the next batch. */
interface Pending {
  readonly key: string;
  /** What {@linkcode LEASE} takes. */
  readonly bytes: Uint8Array;
  readonly within: Deadline;
  resolve(held: boolean): void;
  reject(error: unknown): void;
}

/** What the store shares with its leases. */
interface LeasesHost {
  readonly batch: Batch;
  readonly prefix: string;
  readonly ledger: string;
  readonly run: RunCheck;
}

/** Most leases of one script call: a script holds everybody up. */
const LEASES_PER_CALL = 250;
const ACTIONS: Readonly<Record<LeaseAction, number>> = { extend: 0, release: 1, remove: 2 };

/** Turns what is done with leases in one tick, such as the heartbeats of a load of many keys, into one script call. */
export class RedisLeases implements CallSource {
  readonly operation: string = "keep leases";
  readonly ordered: boolean = true;
  readonly #host: LeasesHost;
  #waiting: Pending[] = [];
  #joined = false;

  constructor(host: LeasesHost) {
    this.#host = host;
  }

  /** Does something with a lease with the next batch. Resolves to whether it was held. */
  keep(key: string, token: number, action: LeaseAction, milliseconds: number): Promise<boolean> {
    const { batch } = this.#host;
    if (this.#waiting.length >= batch.maxQueued) {
      return Promise.reject(batch.diagnosis.unavailable(this.operation, "overload"));
    }
    const bytes = new Uint8Array(17);
    const view = new DataView(bytes.buffer);
    view.setFloat64(0, token);
    view.setFloat64(8, milliseconds);
    view.setUint8(16, ACTIONS[action]);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, bytes, within: new Deadline(batch.commandTimeout), resolve, reject });
      this.#join();
    });
  }

  take(): Call[] {
    this.#joined = false;
    const part = new Part();
    const end = this.#waiting.findIndex(({ key, bytes }) => !part.add(key.length + bytes.length));
    const taken = end === -1 ? this.#waiting : this.#waiting.slice(0, end);
    this.#waiting = end === -1 ? [] : this.#waiting.slice(end);
    if (this.#waiting.length > 0) this.#join();
    const calls: Call[] = [];
    for (let i = 0; i < taken.length; i += LEASES_PER_CALL) calls.push(this.#call(taken.slice(i, i + LEASES_PER_CALL)));
    return calls;
  }

  fail(error: UnavailableError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#joined = false;
    for (const one of waiting) one.reject(error);
  }

  #join(): void {
    if (this.#joined) return;
    this.#joined = true;
    this.#host.batch.join(this);
  }

  #call(leases: readonly Pending[]): Call {
    const { batch, prefix, ledger } = this.#host;
    const { generation } = batch.client;
    const check = this.#host.run.flag;
    const args: RedisArgument[] = [leases.length + 1];
    for (const { key } of leases) args.push(prefix + key);
    args.push(ledger, nonceFor(batch.client), check);
    for (const { bytes } of leases) args.push(bytes);
    const reject = (error: unknown) => leases.forEach((lease) => lease.reject(error));
    return LEASE.call(batch, args, {
      operation: this.operation,
      resolve: (reply: RedisReply) => {
        if (check === "1") this.#host.run.checked(generation);
        if (reply === 1) return leases.forEach((lease) => lease.resolve(true));
        if (!Array.isArray(reply) || reply.length !== leases.length) {
          return reject(new RedisError("ERR the reply to a script is no list"));
        }
        for (const [i, lease] of leases.entries()) lease.resolve(reply[i] === 1);
      },
      reject,
    }, { within: leases[0]!.within });
  }
}
