import { readChange } from "../../src/cache/redis/change_message.ts";
import { encodeTags, HEADER, WireEntry } from "../../src/cache/entry.ts";
import { InvalidationReplica } from "../../src/cache/invalidations.ts";
import { Codec } from "../../src/cache/codec.ts";
import { readNews, readValues } from "../../src/cache/redis/read_reply.ts";
import { decodeResponse, encodeResponse } from "../../src/http/stored_response.ts";
import { checkKnown, etagOf } from "../../src/images/known.ts";
import { decodeFields } from "../../src/sessions/fields.ts";
import { readParts } from "../../src/sessions/redis/parts.ts";
import { storedSessionOf, takenSessionOf, writeField, writeTags } from "../../src/sessions/redis/reply.ts";
import { isName } from "../../src/util/keys.ts";
import { richSerializer } from "../../src/values/serializer.ts";

/** Reads what somebody else may have written. */
export interface Decoder {
  readonly name: string;
  /** What it reads when nothing is wrong. */
  readonly examples: readonly Uint8Array[];
  /**
   * Reads bytes; throws what it is documented to throw, and {@linkcode Wrong} where it gave something that nobody may
   * be given.
   */
  read(bytes: Uint8Array): unknown;
}

/** A decoder gave something that it must not give. */
export class Wrong extends Error {
  override readonly name: string = "Wrong";
}

const encoder = new TextEncoder();
const NOW = 1.7e12;
const EPOCH = 12_345;

/** Values of each kind, as the cache stores them. */
const VALUES: readonly unknown[] = [
  { id: 1, name: "Ada", tags: ["a", "b"], nested: { deep: [1, 2, { x: null }] } },
  new Map<unknown, unknown>([["a", new Date(0)], ["b", new Set([1n, -5n])]]),
  { at: new Date(0), big: 12_345_678_901_234_567_890n, pattern: /a+/g, missing: undefined, not: NaN },
  new Uint8Array([1, 2, 3]),
  [new Float64Array([1, 2]), new URL("https://localhost/"), -0],
];
const codec = new Codec({ maxBytes: 2 ** 20 });

async function entries(): Promise<Uint8Array[]> {
  return await Promise.all(VALUES.map(async (value, i) => {
    const { payload, flags } = await new Codec({ maxBytes: 2 ** 20, compress: i % 2 === 0 && { threshold: 1 } })
      .encode(value, "value");
    const names = ["t", "user:1", "ü"].slice(0, i % 4);
    const tags = encodeTags(names);
    const bytes = new Uint8Array(HEADER + tags.length + payload.length);
    const view = new DataView(bytes.buffer);
    bytes.set([1, flags, 0, names.length]);
    [EPOCH, NOW * 1000, NOW, NOW, NOW, 0, 0].forEach((number, at) => view.setFloat64(8 + 8 * at, number));
    view.setUint32(64, tags.length);
    bytes.set(tags, HEADER);
    bytes.set(payload, HEADER + tags.length);
    return bytes;
  }));
}

/** An entry, with its tags and its value. */
async function entry(): Promise<Decoder> {
  return {
    name: "entry",
    examples: await entries(),
    async read(bytes) {
      const found = new WireEntry(bytes);
      if (found.tags.some((tag) => typeof tag !== "string")) throw new Wrong("a tag that is no text");
      if (found.bytes > bytes.length) throw new Wrong("more bytes than there are");
      return await codec.decode(found.payload, found.flags);
    },
  };
}

/** A reply to a read: entries, and what is new in the ledger. */
async function news(): Promise<Decoder> {
  const [first] = await entries();
  const record = (clock: number, member: string) => {
    const bytes = new Uint8Array(10 + member.length);
    new DataView(bytes.buffer).setFloat64(0, clock);
    new DataView(bytes.buffer).setUint16(8, member.length);
    bytes.set(encoder.encode(member), 10);
    return bytes;
  };
  const pieces = [record(NOW, "h:t"), record(NOW + 1, "s:u"), record(NOW + 2, "p:user:*"), new Uint8Array(19)];
  const head = new Uint8Array(55);
  const view = new DataView(head.buffer);
  [EPOCH, NOW, NOW, NOW, NOW, 0].forEach((number, at) => view.setFloat64(8 * at, number));
  view.setUint8(48, 1);
  [2, 1, 1].forEach((number, at) => view.setUint16(49 + 2 * at, number));
  const told = new Uint8Array([...head, ...pieces.flatMap((piece) => [...piece])]);
  const part = (bytes: Uint8Array) => [0xda, bytes.length >> 8, bytes.length & 255, ...bytes];
  return {
    name: "ledger news",
    examples: [new Uint8Array([0x93, ...part(first!), 0xc2, ...part(told)]), new Uint8Array([0x91, ...part(told)])],
    read(bytes) {
      const reply = readValues(bytes);
      const known = new InvalidationReplica();
      const result = readNews(reply.news, known, undefined);
      if (known.size > 22_000) throw new Wrong("more is remembered than there is room for");
      for (const value of reply.values.slice(0, 10)) if (value) known.judge("user:1", new WireEntry(value));
      return result;
    },
  };
}

/** A message of the channel of changes. */
const bell: Decoder = {
  name: "channel message",
  examples: ["ka\0b\0\x01", "kuser:1", "e", "e\x01", "e\x02", "h12345678tag", "s12345678tag", "p12345678user:*"]
    .map((text) => encoder.encode(text)),
  read(bytes) {
    const message = readChange(bytes, 512);
    if (message?.kind === "tag" && encoder.encode(message.tag).length > 3 * 512) {
      throw new Wrong("a tag that is too long");
    }
    if (message?.kind === "keys" && message.keys.length > bytes.length) throw new Wrong("more keys than bytes");
    return message;
  },
};

/** A session, as a script tells it. */
function session(): Decoder {
  const head = new Uint8Array(50);
  head.set([0x6d, 1]);
  const view = new DataView(head.buffer);
  [NOW * 1000, NOW, NOW, NOW + 1e9, 1e6, 3].forEach((number, at) => view.setFloat64(2 + 8 * at, number));
  const part = (bytes: Uint8Array | number[]) => [0xda, bytes.length >> 8, bytes.length & 255, ...bytes];
  const field = (name: string, value: unknown) => writeField(name, richSerializer.serialize(value) as Uint8Array);
  const all = [
    part(encoder.encode("uada")),
    part([0x74, ...writeTags(["org:7", "a"])]),
    part(encoder.encode("vphone")),
    part(encoder.encode("p1")),
    part(field("at", new Date(0))),
    part(field("big", 5n)),
    part(encoder.encode('j{"theme":"dark","n":[1,2]}')),
  ];
  const copy = [0x73, 0x90 + all.length, ...all.flat()];
  return {
    name: "session row",
    examples: [
      new Uint8Array([0x91, 0x93, ...part(head), ...part(copy), ...part([0])]),
      new Uint8Array([0x91, 0x90 + all.length + 2, ...part(head), ...all.flat(), ...part([1])]),
      new Uint8Array([0x92, 0xc2, 0x91, ...part([0x78])]),
    ],
    read(bytes) {
      const found: unknown[] = [];
      for (const part of readParts(bytes)) {
        // A session that is removed comes with all of its values, others with a head and a copy.
        const read = Array.isArray(part) && part.length > 3
          ? takenSessionOf("handle", part)
          : storedSessionOf("handle", Array.isArray(part) && part.length > 1 ? part : false)?.session;
        if (!read) continue;
        const { userId, tags, createdAt, lastSeenAt, expiresAt } = read;
        if (userId !== "" && !isName(userId)) throw new Wrong("a user who cannot be called so");
        if (!tags.every((tag) => isName(tag))) throw new Wrong("a tag that cannot be one");
        if (![createdAt, lastSeenAt].every(Number.isFinite) || Number.isNaN(expiresAt)) throw new Wrong("odd times");
        const data = decodeFields(read);
        if (Object.getPrototypeOf(data) !== Object.prototype) throw new Wrong("data that are no plain object");
        found.push(data);
      }
      return found;
    },
  };
}

/** A response that is kept. */
const response: Decoder = {
  name: "stored response",
  examples: [["text/html", "<p>"], ["application/json", "{}"]].map(([type, body]) =>
    encodeResponse({
      status: 200,
      headers: [["content-type", type!], ["etag", '"1"'], ["cache-control", "max-age=60"]],
      storedAt: NOW,
      age: 0,
      ttl: 60,
      stale: 30,
      open: true,
      strict: false,
      vary: [["accept", null], ["accept-language", "en"]],
      body: encoder.encode(body),
    })
  ),
  read(bytes) {
    const { status, headers, body } = decodeResponse(bytes);
    // Whatever is read can be sent, and hands nobody a cookie.
    const sent = new Response([204].includes(status) ? null : new Uint8Array(body), {
      status,
      headers: headers.map(([name, value]) => [name, value]),
    });
    if (sent.headers.has("set-cookie")) throw new Wrong("a cookie");
    return sent;
  },
};

/** What is known of an image. */
const image: Decoder = {
  name: "image record",
  examples: [{
    info: {
      filename: "a.png",
      size: 100,
      type: "image/png",
      hash: "0123456789abcdef".repeat(4),
      timestamp: NOW,
      width: 10,
      height: 20,
      orientation: 1,
      etag: etagOf("0123456789abcdef".repeat(4)),
    },
  }, { error: { reason: "empty", detail: "nothing in it" } }].map((known) => encoder.encode(JSON.stringify(known))),
  read(bytes) {
    const known = codec.decode(bytes, 0);
    checkKnown(known, "a.png", "sha-256");
    if (known.info && !known.info.type.startsWith("image/")) throw new Wrong("a type that is no image's");
    return known;
  },
};

/** All of them but limits, which scripts read. */
export async function decoders(): Promise<Decoder[]> {
  return [await entry(), await news(), bell, session(), response, image];
}
