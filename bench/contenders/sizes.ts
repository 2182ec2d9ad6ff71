import { deepEqual } from "node:assert/strict";
import type { Contenders } from "../contender_processes.ts";
import { KEYS, NAMES, type Product, tagsOf, TTL, valueOf } from "../workload.ts";

/** What is stored, by what is told of it. */
const KINDS: Record<string, { value(i: number): Product; tags(i: number): string[] }> = {
  "20 tags": { value: valueOf, tags: (i) => Array.from({ length: 20 }, (_, j) => `tag:${j}:${i % 50}`) },
  "3 tags, 2 KB": { value: (i) => long(i, 2_000), tags: tagsOf },
  "3 tags, 50 KB": { value: (i) => long(i, 50_000), tags: tagsOf },
};
const PLAIN = NAMES.map((name) => `plain:${name}`);

/** Reads of entries of one kind, at a URL, by those who are fastest with short ones. */
export const CONTENDERS: Contenders = {
  async "get"(url, kind) {
    const { value, tags } = KINDS[kind!]!;
    const { connect } = await import("../../mod.ts");
    const larder = await connect({ url, namespace: "larder-bench", commandTimeout: "10s", cache: { ttl: TTL } });
    const { cache } = larder;
    for (let i = 0; i < KEYS; i++) await cache.set(NAMES[i]!, value(i), { tags: tags(i) });
    await cache.invalidateByTag("another");
    deepEqual(await cache.get(NAMES[7]!), value(7));
    return (i) => cache.get(NAMES[i % KEYS]!);
  },
  async "ioredis auto-pipelined get + parse"(url, kind) {
    const { Redis } = await import("npm:ioredis@6.0.0");
    const { addressOf } = await import("../peers/bentocache.ts");
    const io = new Redis({ ...addressOf(url), enableAutoPipelining: true });
    for (let i = 0; i < KEYS; i++) await io.set(`io:${PLAIN[i]!}`, JSON.stringify(KINDS[kind!]!.value(i)));
    return async (i) => JSON.parse((await io.get(`io:${PLAIN[i % KEYS]!}`))!);
  },
  async "node-redis get + parse"(url, kind) {
    const node = (await import("redis")).createClient({ url });
    await node.connect();
    for (let i = 0; i < KEYS; i++) await node.set(PLAIN[i]!, JSON.stringify(KINDS[kind!]!.value(i)));
    return async (i) => JSON.parse((await node.get(PLAIN[i % KEYS]!))!);
  },
};

function long(i: number, length: number): Product {
  return { ...valueOf(i), description: "A thing that everybody needs. ".repeat(length / 30) };
}
