import type { RedisArgument, RedisCommand } from "../client.ts";

const encoder = new TextEncoder();

/** Bytes of a buffer that is kept for the next write; a larger one is left to the collector. */
const KEPT = 1024 * 1024;
const FIRST = 16 * 1024;
/** Up to so many characters are written faster one by one: what stands between two arguments that are bytes. */
const HEAD = 24;
/** Heads of strings and of commands up to this many bytes and parts, which are nearly all. */
const SHORT = 128;
const LENGTHS: readonly string[] = Array.from({ length: SHORT }, (_, length) => `$${length}\r\n`);
const COUNTS: readonly string[] = Array.from({ length: SHORT }, (_, count) => `*${count}\r\n`);

/**
 * Writes commands in the protocol of Redis into a buffer that is used again: what is text goes in by one call for all
 * of it, since a call for each argument costs more than all else.
 */
export class CommandEncoder {
  #buffer = new Uint8Array(FIRST);
  #length = 0;

  /** How many bytes were written since it was taken last. */
  get length(): number {
    return this.#length;
  }

  /** Adds commands. */
  add(commands: readonly RedisCommand[]): void {
    const start = this.#length;
    try {
      if (this.#write(commands, lengthOf)) return;
      // A character that takes more than a byte: the length of the text is not that of its bytes.
      this.#length = start;
      this.#write(commands, byteLength);
    } catch (error) {
      this.#length = start; // half a command would be the first half of the next
      throw error;
    }
  }

  /** The bytes, until {@linkcode CommandEncoder.clear}. */
  take(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** They were sent. */
  clear(): void {
    this.#length = 0;
    if (this.#buffer.length > KEPT) this.#buffer = new Uint8Array(FIRST);
  }

  /** Writes commands, and tells whether the lengths were right. */
  #write(commands: readonly RedisCommand[], measure: (text: string) => number): boolean {
    let text = "";
    for (const { name, args } of commands) {
      const count = args.length + 1;
      text += (count < SHORT ? COUNTS[count]! : `*${count}\r\n`) + part(name, measure);
      for (const arg of args) {
        if (typeof arg === "string") {
          text += part(arg, measure);
        } else if (typeof arg === "number") {
          text += part(String(arg), measure);
        } else {
          text += arg.length < SHORT ? LENGTHS[arg.length]! : `$${arg.length}\r\n`;
          if (!this.#text(text, measure)) return false;
          this.#bytes(arg);
          text = "\r\n";
        }
      }
    }
    return this.#text(text, measure);
  }

  #text(text: string, measure: (text: string) => number): boolean {
    if (text.length <= HEAD && this.#plain(text)) return true;
    const length = measure === lengthOf ? text.length : text.length * 3;
    this.#reserve(length);
    // It is given no more room than it needs if each character is a byte, so it cannot be right by accident.
    const { read, written } = encoder.encodeInto(text, this.#buffer.subarray(this.#length, this.#length + length));
    this.#length += written;
    return read === text.length && (measure !== lengthOf || written === read);
  }

  /** Writes a short text of which each character takes a byte, and tells whether it is one. */
  #plain(text: string): boolean {
    this.#reserve(text.length);
    const buffer = this.#buffer;
    let at = this.#length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false;
      buffer[at++] = unit;
    }
    this.#length = at;
    return true;
  }

  #bytes(bytes: Exclude<RedisArgument, string | number>): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#buffer.length) return;
    const buffer = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    buffer.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = buffer;
  }
}

/** A string with its head. */
function part(text: string, measure: (text: string) => number): string {
  const length = measure(text);
  return (length < SHORT ? LENGTHS[length]! : `$${length}\r\n`) + text + "\r\n";
}

function lengthOf(text: string): number {
  return text.length;
}

/** How many bytes a text takes in UTF-8, as the encoder writes it: half of a pair of surrogates as U+FFFD. */
function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    if (code < 0x800) bytes += 1;
    else if (code >= 0xd800 && code < 0xdc00 && isLow(text.charCodeAt(i + 1))) {
      bytes += 2; // four for the two of them
      i++;
    } else bytes += 2;
  }
  return bytes;
}

function isLow(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}
