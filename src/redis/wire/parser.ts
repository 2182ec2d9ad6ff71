import { RedisError } from "../../errors.ts";
import { decoder } from "../../util/utf8.ts";
import type { RedisReply, StringTaker } from "../client.ts";

/** What takes replies. */
export interface ReplyTaker {
  /**
   * Whether strings in the reply that begins now are wanted as text, or what takes those of a list. Throws when none is
   * awaited.
   */
  begins(): boolean | StringTaker;
  /** Takes a reply. */
  take(reply: RedisReply): void;
}

/** Where what arrives is put. */
export interface Intake {
  /** Where the next bytes go; never empty. */
  space(): Uint8Array;
  /** So many bytes were put there. Throws when they are not what was to come. */
  filled(size: number): void;
}

/** What arrived is no reply, so nobody knows where the next one begins: the connection is of no use any more. */
export class ProtocolError extends Error {
  /** The error name. */
  override readonly name: string = "ProtocolError";

  /** `got` is what was found instead. */
  constructor(got: string) {
    super(`Cannot read a reply: wanted one in RESP2, got ${got}`);
  }
}

/** Bytes of a chunk. Values are views of it, so each one that somebody keeps keeps its chunk. */
const CHUNK = 128 * 1024;
/** A chunk with less room than this is followed by the next: reads into what is left would be small. */
const ROOM = 16 * 1024;
/**
 * Bytes that are set aside at once for a string that is announced; for one that is longer, as many again as have come.
 */
const TRUSTED = 64 * 1024 * 1024;
/** The longest string: what the configuration of a server may allow (`proto-max-bulk-len`) is 512 MB by default. */
const LONGEST = 2 ** 32;
/** The most elements of a list. */
const MOST = 2 ** 32;
/** The longest line with text in it: a status or an error. */
const LINE = 64 * 1024;
/** The digits of a number in 64 bits. */
const DIGITS = 20;
/** How deep lists may be nested; scripts of Redis give a few dozens. */
const DEEPEST = 256;

const [CR, LF, ZERO, PLUS, MINUS] = [13, 10, 48, 43, 45];
const [STRING, LIST, INTEGER, STATUS, ERROR] = [36, 42, 58, 43, 45];

/** A list of which not all has come. */
interface List {
  readonly items: RedisReply[];
  left: number;
}

/** A list of strings that are handed over one by one. */
interface StringList {
  readonly take: StringTaker;
  readonly length: number;
  left: number;
}

/**
 * Reads replies of RESP2 from chunks as they arrive, and looks at each byte once. What it hands out are views that stay
 * as they are: it moves on through a chunk and never writes over what was read. Only a value that does not fit any more
 * is copied over to the next.
 */
export class ReplyParser implements Intake {
  readonly #taker: ReplyTaker;
  #chunk = new Uint8Array(0);
  /** Where the value begins that has not come whole. */
  #at = 0;
  /** Up to where it was looked for the end of its line. */
  #seen = 0;
  /** Where what has arrived ends. */
  #end = 0;
  /** The length of the string that is arriving; -1 before its head has come. */
  #string = -1;
  #wanted: boolean | StringTaker = false;
  /** The list of strings that is arriving. */
  #strings: StringList | undefined;
  readonly #lists: List[] = [];

  constructor(taker: ReplyTaker) {
    this.#taker = taker;
  }

  space(): Uint8Array {
    const arrived = this.#end - this.#at;
    const free = this.#chunk.length - this.#end;
    if (this.#string < 0) {
      if (free < ROOM) this.#move(arrived, Math.max(CHUNK, arrived + ROOM));
    } else {
      const whole = this.#string + 2;
      // More than what can be trusted is only set aside as it arrives.
      const wanted = whole <= TRUSTED ? whole : Math.min(whole, Math.max(TRUSTED, 2 * arrived));
      if (free === 0 || (whole <= TRUSTED && this.#at + whole > this.#chunk.length)) {
        this.#move(arrived, Math.max(CHUNK, wanted));
      }
    }
    return this.#chunk.subarray(this.#end);
  }

  filled(size: number): void {
    this.#end += size;
    const chunk = this.#chunk;
    const end = this.#end;
    while (this.#at < end) {
      if (this.#string >= 0 ? !this.#readString(chunk, end) : !this.#readHead(chunk, end)) return;
    }
  }

  /** Goes on in a new chunk, with what has come of a value. */
  #move(arrived: number, length: number): void {
    const chunk = new Uint8Array(length);
    if (arrived > 0) chunk.set(this.#chunk.subarray(this.#at, this.#end));
    this.#seen = Math.max(0, this.#seen - this.#at);
    this.#chunk = chunk;
    this.#at = 0;
    this.#end = arrived;
  }

  /** Reads the string that is arriving, and tells whether it has come whole. */
  #readString(chunk: Uint8Array<ArrayBuffer>, end: number): boolean {
    const length = this.#string;
    const close = this.#at + length;
    if (close + 2 > end) return false;
    if (chunk[close] !== CR || chunk[close + 1] !== LF) {
      throw new ProtocolError("a string that does not end where it should");
    }
    const from = this.#at;
    this.#at = close + 2;
    this.#string = -1;
    if (this.#strings) this.#handOver(this.#strings, from, close);
    else {
      const bytes = new Uint8Array(chunk.buffer, from, length);
      this.#give(this.#wanted === true ? decoder.decode(bytes) : bytes);
    }
    return true;
  }

  /** Reads the line at which a value begins, and tells whether it has come whole. */
  #readHead(chunk: Uint8Array, end: number): boolean {
    const at = this.#at;
    const type = chunk[at]!;
    if (type === STRING || type === LIST || type === INTEGER) return this.#readNumber(chunk, end, type);
    if (type !== STATUS && type !== ERROR) throw new ProtocolError(`unknown code: ${codeText(type)}`);
    let close = Math.max(this.#seen, at + 1);
    while (close < end && chunk[close] !== CR) close++;
    this.#seen = close;
    if (close - at > LINE) throw new ProtocolError("a line without an end");
    if (close + 2 > end) return false;
    if (chunk[close + 1] !== LF) throw new ProtocolError("a line that does not end as it should");
    this.#begin();
    this.#at = close + 2;
    const bytes = chunk.subarray(at + 1, close);
    if (type === ERROR) this.#give(new RedisError(decoder.decode(bytes)));
    else this.#give(this.#wanted === true ? decoder.decode(bytes) : bytes);
    return true;
  }

  /** Reads a line that has a number only. It is short, so what came of it in part is read again. */
  #readNumber(chunk: Uint8Array, end: number, type: number): boolean {
    let at = this.#at + 1;
    let negative = false;
    if (at < end && (chunk[at] === MINUS || (chunk[at] === PLUS && type === INTEGER))) negative = chunk[at++] === MINUS;
    const first = at;
    let number = 0;
    for (;; at++) {
      if (at >= end) {
        if (at - first > DIGITS) throw new ProtocolError("a number without an end");
        return false;
      }
      const digit = chunk[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      number = number * 10 + digit;
    }
    if (chunk[at] !== CR || at === first || at - first > DIGITS) throw new ProtocolError("a number that is none");
    if (at + 1 >= end) return false;
    if (chunk[at + 1] !== LF) throw new ProtocolError("a line that does not end as it should");
    // Digit by digit, numbers beyond these would be rounded again and again.
    if (at - first > 15) number = Number(decoder.decode(chunk.subarray(first, at)));
    this.#begin();
    this.#at = at + 2;
    if (type === INTEGER) this.#give(negative ? 0 - number : number);
    else if (negative && number === 1) this.#giveNothing(type);
    else if (negative || number > (type === STRING ? LONGEST : MOST)) throw new ProtocolError("a length that is none");
    else if (type === STRING) this.#string = number;
    else if (number === 0) this.#give([]);
    else if (typeof this.#wanted === "function" && this.#lists.length === 0) {
      if (this.#strings) throw new ProtocolError("a list among strings");
      this.#strings = { take: this.#wanted, length: number, left: number };
    } else if (this.#lists.length === DEEPEST) throw new ProtocolError("lists that are nested too deeply");
    else this.#lists.push({ items: [], left: number });
    return true;
  }

  /** A value begins; if it is in no list, a reply does. */
  #begin(): void {
    if (this.#lists.length === 0 && !this.#strings) this.#wanted = this.#taker.begins();
  }

  /** A string of a list is whole, and with the last of them the list is. */
  #handOver(strings: StringList, from: number, end: number): void {
    strings.take(this.#chunk, from, end);
    if (--strings.left > 0) return;
    this.#strings = undefined;
    this.#taker.take(strings.length);
  }

  /** There is no string, or no list. */
  #giveNothing(type: number): void {
    if (this.#strings && type === STRING) this.#handOver(this.#strings, -1, -1);
    else this.#give(null);
  }

  /** A value is whole, and with the last of a list the list is. */
  #give(value: RedisReply): void {
    if (this.#strings) throw new ProtocolError("something else among strings");
    const lists = this.#lists;
    while (lists.length > 0) {
      const list = lists[lists.length - 1]!;
      list.items.push(value);
      if (--list.left > 0) return;
      lists.pop();
      value = list.items;
    }
    this.#taker.take(value);
  }
}

/** A byte as it may be shown. */
function codeText(byte: number): string {
  return byte > 32 && byte < 127 ? String.fromCharCode(byte) : String(byte);
}
