import { RedisError } from "../../errors.ts";
import type { RedisReply, StringTaker } from "../../redis/client.ts";
import { decoder } from "../../util/utf8.ts";

/**
 * What the ledger and the clock of the server say at one moment, without a script. See `ledger_prelude.ts` for the
 * members.
 */
export interface Marks {
  /** Which life of the ledger it is; 0 = there is none. */
  readonly epoch: number;
  /** Clock of the newest invalidation of any kind. */
  readonly newest: number;
  /** Nothing as old is valid. */
  readonly floor: number;
  /** The last place in the order that was given away. */
  readonly last: number;
  /** The server's time in microseconds. */
  readonly time: number;
}

/** What is said where there is no ledger. */
export const NO_LEDGER: Marks = { epoch: 0, newest: 0, floor: 0, last: 0, time: 0 };

/** The members that {@linkcode readMarks} reads, in order. */
export const MARKS: readonly string[] = ["e", "i", "f", "k"];

/**
 * Reads the replies to `ZMSCORE` of {@linkcode MARKS} and to `TIME`.
 *
 * @throws {RedisError} If they are something else.
 */
export function readMarks(scores: RedisReply | undefined, time: RedisReply | undefined): Marks {
  if (!Array.isArray(scores) || scores.length !== MARKS.length || !Array.isArray(time) || time.length !== 2) {
    throw new RedisError("ERR the reply to ZMSCORE or TIME is none");
  }
  return {
    epoch: 0 - numberOf(scores[0]),
    newest: 0 - numberOf(scores[1]),
    floor: 0 - numberOf(scores[2]), // not -0 where there is none
    last: 0 - numberOf(scores[3]),
    time: numberOf(time[0]) * 1_000_000 + numberOf(time[1]),
  };
}

/** Takes the scores as they come, where a client hands them over so: no view is made of any. */
export class ScoresTaker {
  // Of this length from the start: an array that grows takes room for many more.
  readonly #scores: number[] = MARKS.map(() => 0);
  #next = 0;

  /** Takes the next one; where it is asked for again, all of them anew. */
  readonly take: StringTaker = (bytes, from, end) => {
    this.#scores[this.#next++ % MARKS.length] = from < 0 ? 0 : numberIn(bytes, from, end);
  };

  /** The reply as it was taken, or as it is, if it was not handed over. */
  reply(reply: RedisReply | undefined): RedisReply | undefined {
    return reply === MARKS.length ? this.#scores : reply;
  }
}

const [ZERO, NINE, MINUS] = [0x30, 0x39, 0x2d];

/** A number of the server; 0 where there is none. */
function numberOf(reply: RedisReply | undefined): number {
  if (reply === null || reply === undefined) return 0;
  return reply instanceof Uint8Array ? numberIn(reply, 0, reply.length) : Number(reply) || 0;
}

/** The number from one position to another. By hand: a decoder takes longer than all else that is done for a hit. */
function numberIn(bytes: Uint8Array, from: number, end: number): number {
  const negative = bytes[from] === MINUS;
  let value = 0;
  for (let i = negative ? from + 1 : from; i < end; i++) {
    const byte = bytes[i]!;
    if (byte < ZERO || byte > NINE) return Number(decoder.decode(bytes.subarray(from, end))) || 0;
    value = value * 10 + byte - ZERO;
  }
  return negative ? -value : value;
}
