import type { RedisReply } from "../../redis/client.ts";
import { decoder } from "../../util/utf8.ts";
import type { DeadEntry, PendingEntry, StreamEntry, StreamInfo, TakeAnswer } from "../store.ts";

/** A part of a reply as text. */
export function textOf(reply: RedisReply | undefined): string {
  return reply instanceof Uint8Array ? decoder.decode(reply) : String(reply ?? "");
}

type Fields = ReadonlyMap<string, Uint8Array>;

function fieldsOf(reply: RedisReply): Fields {
  const list = reply as Uint8Array[];
  const fields = new Map<string, Uint8Array>();
  for (let i = 0; i + 1 < list.length; i += 2) fields.set(textOf(list[i]), list[i + 1]!);
  return fields;
}

function entryOf(id: string, fields: Fields): StreamEntry {
  const key = fields.get("k");
  const number = textOf(fields.get("n"));
  return {
    id,
    payload: fields.get("v")?.slice(), // what follows it in the buffer of the reply need not be kept
    key: key && textOf(key),
    number: /^\d{1,20}$/.test(number) ? BigInt(number) : undefined,
  };
}

/** Messages of a stream. */
export function entriesOf(reply: RedisReply): StreamEntry[] {
  return (reply as RedisReply[][]).map(([id, fields]) => entryOf(textOf(id), fieldsOf(fields!)));
}

/** Messages that were given up. */
export function deadOf(reply: RedisReply): DeadEntry[] {
  return (reply as RedisReply[][]).map(([id, list]) => {
    const fields = fieldsOf(list!);
    const [original, group, error] = ["i", "g", "e"].map((name) => textOf(fields.get(name)));
    const [attempts, at] = ["a", "t"].map((name) => Number(textOf(fields.get(name))) || 0);
    return {
      ...entryOf(textOf(id), fields),
      original: original!,
      group: group!,
      error: error!,
      attempts: attempts!,
      at: at!,
    };
  });
}

/** What a consumer was given. */
export function takenOf(reply: RedisReply): TakeAnswer {
  const [held, made, dropped, missed, empty, full, after, entries] = reply as RedisReply[];
  return {
    held: held === 1,
    made: made === 1,
    dropped: Number(dropped),
    missed: Number(missed),
    empty: empty === 1,
    full: full === 1,
    after: textOf(after),
    entries: (entries as RedisReply[][]).map(([id, attempt, fields]) => ({
      ...entryOf(textOf(id), fieldsOf(fields!)),
      attempt: Number(attempt),
    })),
  };
}

/** What is pending. */
export function pendingOf(reply: RedisReply): PendingEntry[] {
  return (reply as RedisReply[][]).map(([id, consumer, idle, attempts]) => ({
    id: textOf(id),
    consumer: textOf(consumer),
    idle: Number(idle),
    attempts: Number(attempts),
  }));
}

/** What is known of a stream. */
export function infoOf(reply: RedisReply): StreamInfo {
  const [length, dead, first, last, ...groups] = reply as RedisReply[];
  return {
    length: Number(length),
    dead: Number(dead),
    firstId: first ? textOf(first) : undefined,
    lastId: last ? textOf(last) : undefined,
    groups: (groups as RedisReply[][]).map(([name, pending, waiting, lastId]) => ({
      name: textOf(name),
      pending: Number(pending),
      waiting: waiting === null ? undefined : Number(waiting),
      lastId: textOf(lastId),
    })),
  };
}
