/**
 * Reads sessions without a script: `HMGET` of each, then `ZSCORE` of the newest revocation and `TIME`, in this order,
 * in one write. Nothing is written, so nothing comes back to life. Only one answer is given from what they say: that a
 * session is there, alive, older than no revocation, and that its last use need not be written down. Whatever else they
 * say, a script is asked, which sees all of it at one moment:
 *
 * - No record: it may have another handle, or be remembered. On a cluster it may be on its way to another node.
 * - One that has ended, is damaged, or of another version; or whose last use is due to be written.
 * - A revocation that is younger, unless a script has found since that it was about others. It is looked for after the
 *   records: what was acknowledged before is seen.
 * - Any error: a key of another type, one that has moved.
 *
 * @module
 */
import { RedisError } from "../../errors.ts";
import type { Call } from "../../redis/batch.ts";
import type { RedisCommand, RedisReply } from "../../redis/client.ts";

/** One session that is read. */
export interface PlainRead {
  /** Its handle. */
  readonly handle: string;
  /** How it is used: one that begins with `peek` leaves its last use as it is. */
  readonly kind: string;
}

/** Told what becomes of a plain read. */
export interface PlainReadHost {
  /** How the keys of records begin; with an `l` it is the key of the ledger. */
  readonly base: string;
  /** Milliseconds between two writes of the last use; -1 = by the time to live. */
  readonly touchEvery: number;
  /** What is attempted. */
  readonly operation: string;
  /** It is about to be written. */
  written(now: number): void;
  /** Whether a session that was born before the newest revocation is known to be alive all the same. */
  isCleared(handle: string, born: number, revoked: number): boolean;
  /**
   * `rows` has the head and the copy of each session; nothing for those of which a script has to be asked. `us` is the
   * time of the server that has the ledger: another node of a cluster, with a clock of its own, may tell its time too.
   * `revoked` is the clock of the newest revocation, `Infinity` where that is not known.
   */
  answered(rows: readonly (Row | undefined)[], us: number | undefined, revoked: number): void;
  /** It failed. */
  failed(error: unknown): void;
}

/** The head of a session, and the copy of its other values. */
export type Row = [head: Uint8Array, copy: Uint8Array];

const HEAD = 50;
const [VERSION, COPY] = [1, 0x73];
const FIVE_MINUTES = 300_000;
const TWO_HOURS = 7_200_000;

/** The call for these reads. */
export function plainCall(reads: readonly PlainRead[], host: PlainReadHost): Call {
  const { base, touchEvery, operation } = host;
  const ledger = `${base}l`;
  const before: RedisCommand[] = reads.map(({ handle }) => ({ name: "HMGET", args: [`${base}:${handle}`, "m", "s"] }));
  before.push({ name: "ZSCORE", args: [ledger, "n"] });
  return {
    name: "TIME",
    args: [],
    route: ledger,
    before,
    operation,
    takesErrors: true,
    written: host.written,
    resolve(reply, replies = []) {
      const us = microseconds(reply);
      const revoked = revocation(replies[reads.length]);
      const now = us === undefined ? Infinity : Math.floor(us / 1000); // nothing is alive at a time that nobody knows
      const rows = reads.map(({ handle, kind }, i) => {
        const reply = replies[i];
        if (!isRow(reply)) return undefined;
        const born = bornIfAlive(reply[0], kind.startsWith("peek") ? Infinity : touchEvery, now);
        return born > revoked || host.isCleared(handle, born, revoked) ? reply : undefined;
      });
      host.answered(rows, replies[reads.length] instanceof RedisError ? undefined : us, revoked);
    },
    reject: host.failed,
  };
}

/** The clock at which a session began, from its head. */
export function bornOf(head: Uint8Array): number {
  return new DataView(head.buffer, head.byteOffset, HEAD).getFloat64(2);
}

/** Whether a reply is the head of a session in this version, and the copy of its values. */
function isRow(reply: RedisReply | undefined): reply is [Uint8Array, Uint8Array] {
  if (!Array.isArray(reply) || reply.length !== 2) return false;
  const [head, copy] = reply;
  return head instanceof Uint8Array && head.length === HEAD && head[1] === VERSION &&
    copy instanceof Uint8Array && copy[0] === COPY;
}

/**
 * The clock at which a session began that has not ended and is not due, else `NaN`; `every` is `Infinity` where its
 * last use stays as it is.
 */
function bornIfAlive(head: Uint8Array, every: number, now: number): number {
  const view = new DataView(head.buffer, head.byteOffset, HEAD);
  const [seen, last, idle] = [view.getFloat64(18), view.getFloat64(26), view.getFloat64(34)];
  const alive = now !== Infinity && (idle === 0 || seen + idle > now) && (last === 0 || last > now);
  // What was used later than now was used before the clock was set back.
  const isDue = every !== Infinity && (now - seen >= pause(idle, every) || seen > now);
  return alive && !isDue ? view.getFloat64(2) : NaN;
}

/** Milliseconds between two writes of the last use of a session with this idle time, as in the scripts. */
function pause(idle: number, touchEvery: number): number {
  if (idle === 0) return touchEvery < 0 ? FIVE_MINUTES : touchEvery;
  if (touchEvery >= 0) return Math.min(touchEvery, idle / 2);
  return idle < TWO_HOURS ? idle / 24 : FIVE_MINUTES;
}

/** The clock of the newest revocation; `Infinity` where that is not known, or is none that a script has written. */
function revocation(reply: RedisReply | undefined): number {
  if (reply === null) return 0;
  const clock = reply instanceof Uint8Array ? -Number(textOf(reply)) : NaN;
  return clock >= 0 ? clock : Infinity;
}

function microseconds(reply: RedisReply): number | undefined {
  if (!Array.isArray(reply) || reply.length !== 2 || reply.some((part) => part instanceof RedisError)) return undefined;
  const [seconds, rest] = reply.map((part) => part instanceof Uint8Array ? Number(textOf(part)) : NaN);
  const us = seconds! * 1_000_000 + rest!;
  return Number.isNaN(us) ? undefined : us;
}

/** Digits. */
function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
