/**
 * One of the processes of the scenario `cold-key`: says that it is ready, waits until its input ends, asks for one key
 * with all its callers at once and reports.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { BentoCache, bentostore } from "npm:bentocache@1.6.1";
import { redisDriver } from "npm:bentocache@1.6.1/drivers/redis";
import { connect } from "../mod.ts";
import { addressOf } from "./peers/bentocache.ts";

const LOAD_TAKES = 200;
const [peer, url = "", callers] = Deno.args;
let loads = 0;

async function load(): Promise<string> {
  loads++;
  await new Promise((resolve) => setTimeout(resolve, LOAD_TAKES));
  return "loaded";
}

async function larder(): Promise<() => Promise<unknown>> {
  const { cache } = await connect({ url, namespace: "larder-bench", commandTimeout: "10s" });
  await cache.get("warm");
  return () => cache.getOrSet("cold", load, { ttl: "1m", tags: ["some"] });
}

async function bentocache(): Promise<() => Promise<unknown>> {
  const store = bentostore().useL2Layer(redisDriver({ connection: addressOf(url) }));
  const cache = new BentoCache({ default: "cold", prefix: "bentocache", stores: { cold: store } });
  await cache.get({ key: "warm" });
  return () => cache.getOrSet({ key: "cold", factory: load, ttl: "1m", tags: ["some"] });
}

const get = peer === "larder" ? await larder() : await bentocache();
console.log("ready");
await Deno.stdin.read(new Uint8Array(1));
const start = performance.now();
await Promise.all(Array.from({ length: Number(callers) }, get));
console.log(JSON.stringify({ loads, milliseconds: performance.now() - start }));
Deno.exit(0);
