/**
 * What callers see while things happen to a cluster of six servers, and to a server behind three Sentinels: prints a
 * table, and ends with 1 where a promise was broken. `deno task cluster`; it takes about two minutes and wants the
 * machine for itself. `deno task cluster cluster` and `deno task cluster sentinels` do one half of it.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { hashSlot } from "../../src/redis/cluster/hash_slot.ts";
import { hashTags } from "../../src/redis/buckets.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { RedisServer } from "../support/redis_server.ts";
import { Sentinels } from "../support/sentinels.ts";
import { until } from "../support/until.ts";
import { type Event, type Line, lineOf, promisesOf, summed, tableOf } from "./report.ts";
import { type Bin, PROMISES, type Setup, type Told } from "./setup.ts";

const WORKERS = 3;
const BUCKETS = 16;
const NAMESPACE = "shop";
const TAGS = hashTags(NAMESPACE, BUCKETS).map((tag) => `{${tag}}`);

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The processes with load, and what they have told. */
class Load implements AsyncDisposable {
  readonly bins: Bin[] = [];
  readonly told: Told[] = [];
  readonly #workers: DenoProcess[];
  readonly #reading: Promise<unknown>;

  constructor(setup: Omit<Setup, "worker" | "workers">) {
    const url = import.meta.resolve("./worker.ts");
    this.#workers = Array.from(
      { length: WORKERS },
      (_, worker) => DenoProcess.start(url, JSON.stringify({ ...setup, worker, workers: WORKERS })),
    );
    this.#reading = Promise.all(this.#workers.map((worker) => this.#read(worker)));
  }

  async works(): Promise<void> {
    // Their first seconds are spent on compiling.
    await until(() => this.bins.length > WORKERS * 20, "the workers work");
  }

  async stop(): Promise<void> {
    for (const worker of this.#workers) await worker.send("stop");
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) await worker[Symbol.asyncDispose]();
  }

  async #read(worker: DenoProcess): Promise<void> {
    while (true) {
      const { bin, told } = await worker.receive<{ bin?: Bin; told?: Told }>();
      if (bin) this.bins.push(bin);
      if (told) return void this.told.push(told);
    }
  }
}

/** Has something happen, and waits until the callers have seen what comes of it. */
async function during(name: string, hit: Iterable<number>, work: (event: Event) => Promise<void>): Promise<Event> {
  const event: Event = { name, from: Date.now(), to: 0, hit: new Set(hit), recovered: 0 };
  await work(event);
  if (event.recovered === 0) event.recovered = Date.now();
  await wait(2500);
  event.to = Date.now();
  console.error(`${name}: done`);
  return event;
}

async function bucketsOn(cluster: RedisCluster, node: RedisServer): Promise<number[]> {
  const owners = await Promise.all(TAGS.map((tag) => ownerOf(cluster, tag)));
  return owners.flatMap((owner, i) => owner === node ? [i] : []);
}

/** The owner of the slot of a key, by a node that answers. */
async function ownerOf(cluster: RedisCluster, key: string): Promise<RedisServer> {
  const slot = hashSlot(key);
  for (const node of cluster.nodes) {
    const ranges = await node.cli("CLUSTER", "SLOTS").catch(() => []) as [number, number, [string, number]][];
    const range = ranges.find(([begin, end]) => begin <= slot && slot <= end);
    const owner = range && cluster.nodes.find(({ port }) => port === range[2][1]);
    if (owner) return owner;
  }
  throw new Error(`Nobody owns slot ${slot}`);
}

/** Waits until those who are up agree that somebody else has the slots of a node. */
async function takenOver(cluster: RedisCluster, from: RedisServer): Promise<void> {
  const others = cluster.nodes.filter((node) => node !== from);
  await until(async () => {
    const infos = await Promise.all(others.map((node) => node.cli("CLUSTER", "INFO")));
    const slots = await Promise.all(others.map((node) => node.cli("CLUSTER", "SLOTS")));
    return infos.every((info) => String(info).includes("cluster_state:ok")) &&
      slots.every((ranges) =>
        !(ranges as [number, number, [string, number]][]).some(([, , [, port]]) => port === from.port)
      );
  }, "another node has taken over");
}

async function moveSlot(cluster: RedisCluster, slot: number, from: RedisServer, to: RedisServer, pause = 0) {
  const [fromId, toId] = [String(await from.cli("CLUSTER", "MYID")), String(await to.cli("CLUSTER", "MYID"))];
  await to.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
  await from.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
  while (true) {
    const keys = await from.cli("CLUSTER", "GETKEYSINSLOT", slot, pause > 0 ? 1 : 100) as string[];
    if (keys.length === 0) break;
    await from.cli("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "REPLACE", "KEYS", ...keys);
    if (pause > 0) await wait(pause);
  }
  await to.cli("CLUSTER", "SETSLOT", slot, "NODE", toId);
  await from.cli("CLUSTER", "SETSLOT", slot, "NODE", toId);
  for (const node of cluster.nodes) {
    if (node !== to && node !== from) await node.cli("CLUSTER", "SETSLOT", slot, "NODE", toId).catch(() => {});
  }
}

/** What is wrong. */
const broken: string[] = [];

function judge(lines: readonly Line[], told: readonly Told[]): void {
  const kept = summed(told);
  console.log(`\n${tableOf(lines)}\n\n${promisesOf(kept)}\n`);
  for (const [what, count] of Object.entries(kept.others)) console.log(`${what}: ${count}`);
  console.log(`failures ${JSON.stringify(kept.refusals)}`);
  for (const [service, count] of Object.entries(kept.broken)) broken.push(`${service}: broken ${count} times`);
  for (const service of Object.keys(PROMISES)) if (!kept.looked[service]) broken.push(`${service}: nothing looked at`);
  for (const { name, healthy, behind } of lines) {
    if (healthy > 0.01) {
      broken.push(`${name}: ${(healthy * 100).toFixed(2)} % of calls on healthy slots failed in a second`);
    }
    if (behind > 1) broken.push(`${name}: ${behind.toFixed(1)} s behind the cluster`);
  }
}

async function onCluster(): Promise<void> {
  await using cluster = await RedisCluster.start(3, { replicas: 1, config: { "cluster-require-full-coverage": "no" } });
  await using truth = await RedisServer.start();
  await using load = new Load({
    namespace: NAMESPACE,
    buckets: BUCKETS,
    truth: truth.port,
    node: cluster.nodes[0]!.port,
  });
  await load.works();
  const [one, two, three] = cluster.nodes as [RedisServer, RedisServer, RedisServer];
  const events: Event[] = [];
  const event = async (name: string, hit: Iterable<number>, work: (event: Event) => Promise<void>) => {
    events.push(await during(name, hit, work));
  };
  await event("nothing", [], () => wait(1000) as Promise<void>);
  await event("kill -9 of a primary, its replica takes over", await bucketsOn(cluster, one), async () => {
    await one.kill();
    await takenOver(cluster, one);
  });
  await event("the old primary comes back", [], async () => {
    await one.restart();
    await cluster.agrees();
  });
  await event("SIGSTOP of a primary, its replica takes over", await bucketsOn(cluster, two), async () => {
    await two.pause();
    await takenOver(cluster, two);
  });
  await event("SIGCONT of the old primary", [], async () => {
    await two.resume();
    await cluster.agrees();
  });
  const from = three;
  const to = await ownerOf(cluster, TAGS.find((_, i) => i >= 0)!) === from
    ? await ownerOf(cluster, TAGS[1]!)
    : await ownerOf(cluster, TAGS[0]!);
  const here = await bucketsOn(cluster, from);
  const [mine, keyByKey] = here.map((bucket) => hashSlot(TAGS[bucket]!));
  await event("500 slots resharded, a bucket's among them", here.slice(0, 1), async () => {
    const ranges = await from.cli("CLUSTER", "SLOTS") as [number, number, [string, number]][];
    const owned = ranges.filter(([, , [, port]]) => port === from.port)
      .flatMap(([begin, end]) => Array.from({ length: end - begin + 1 }, (_, i) => begin + i));
    const used = new Set(TAGS.map((tag) => hashSlot(tag)));
    for (const slot of [mine!, ...owned.filter((slot) => !used.has(slot)).slice(0, 499)]) {
      await moveSlot(cluster, slot, from, to);
    }
    await cluster.agrees();
  });
  await event(
    "the slot of a bucket moved key by key",
    here.slice(1, 2),
    () => moveSlot(cluster, keyByKey!, from, to, 15),
  );
  await load.stop();
  judge(events.map((one) => lineOf(one, load.bins)), load.told);
}

/** One that is down cannot take over again: each failover has servers of its own. */
const FAILURES: [name: string, fail: (primary: RedisServer) => Promise<void>][] = [
  ["Sentinel failover after kill -9", (primary) => primary.kill()],
  ["Sentinel failover after SIGSTOP", (primary) => primary.pause()],
];

async function onSentinels(): Promise<void> {
  const lines: Line[] = [];
  const told: Told[] = [];
  for (const [name, fail] of FAILURES) {
    await using servers = await Sentinels.start();
    await using truth = await RedisServer.start();
    await using load = new Load({ namespace: NAMESPACE, buckets: 1, truth: truth.port, sentinels: servers.ports });
    await load.works();
    await wait(1500);
    const event = await during(name, [0], async () => {
      await fail(servers.primary);
      await servers.failedOver();
    });
    await load.stop();
    lines.push(lineOf(event, load.bins));
    told.push(...load.told);
  }
  judge(lines, told);
}

if (!Deno.args.includes("sentinels")) await onCluster();
if (!Deno.args.includes("cluster")) await onSentinels();
if (broken.length > 0) {
  console.log(`\nBroken: ${broken.join("; ")}.`);
  Deno.exit(1);
}
console.log("\nAll promises were kept.");
