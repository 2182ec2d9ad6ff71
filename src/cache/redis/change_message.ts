/**
 * The messages of the change channel, on which the scripts tell the processes of a namespace what changed:
 *
 * | message | what |
 * |---|---|
 * | `k` keys, with a zero byte between | entries were written, removed or given up |
 * | `h` or `s`, clock (f64), tag | a tag was invalidated |
 * | `p`, clock (f64), glob | a pattern was invalidated |
 * | `e` | everything was invalidated |
 * | `e` 0x02 | something changed in another database than 0 |
 *
 * Redis has one set of channels for all its databases, so each database has one of its own: `namespace:bell`, and with
 * another number than 0 `namespace:bell:number`. What is told of keys ends with 0x00 0x01, and `e` with 0x01, where the
 * channel is the one of the database. Without that it may come from any database, through a client that does not know
 * its own, or a release that knows no such channels; these listen to `namespace:bell` and look again at each `e` 0x02,
 * too.
 *
 * Who may do nothing but publish can say anything there. So a message is only ever a reason to look: what it says of
 * clocks is not even read.
 *
 * @module
 */
import { decoder } from "../../util/utf8.ts";

/** What a message is a reason to look at. */
export type ChangeMessage =
  | { readonly kind: "keys"; readonly keys: readonly string[]; readonly here: boolean }
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "pattern" }
  | { readonly kind: "all"; readonly here: boolean }
  | { readonly kind: "elsewhere" };

/**
 * Longer messages no script sends: a thousand keys are half a megabyte. What they are about is not worth finding out.
 */
const LONGEST = 2 ** 20;
/** Bytes in front of a tag: the kind and the clock. */
const HEAD = 9;
/** Ends what a release tells that has a channel for each database. */
const HERE = "\0\x01";

/** The channel of a namespace in a database. */
export function channelOf(namespace: string, db: number): string {
  return db === 0 ? `${namespace}:bell` : `${namespace}:bell:${db}`;
}

/**
 * Reads a message; `undefined` for one that is about nothing here.
 *
 * @param payload What came.
 * @param longest The most bytes of a tag.
 */
export function readChange(payload: Uint8Array, longest: number): ChangeMessage | undefined {
  if (payload.length > LONGEST) return { kind: "all", here: true };
  switch (payload[0]) {
    case 0x6b: { // k
      const text = decoder.decode(payload.subarray(1));
      const here = text.endsWith(HERE);
      return { kind: "keys", keys: (here ? text.slice(0, -HERE.length) : text).split("\0"), here };
    }
    case 0x65: // e
      return payload[1] === 2 ? { kind: "elsewhere" } : { kind: "all", here: payload[1] === 1 };
    case 0x68: // h
    case 0x73: // s
      // There is no longer tag, so no entry has it.
      if (payload.length <= HEAD || payload.length > HEAD + longest) return undefined;
      return { kind: "tag", tag: decoder.decode(payload.subarray(HEAD)) };
    case 0x70: // p
      return payload.length > HEAD ? { kind: "pattern" } : undefined;
  }
}
