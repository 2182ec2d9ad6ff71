import { assert, assertEquals } from "@std/assert";
import { createClient } from "redis";
import { lookup, type LookupAllOptions } from "node:dns";
import type { LookupFunction } from "node:net";
import { fromNodeRedis } from "../../src/redis/adapters/from_node_redis.ts";
import { delay } from "../../src/util/abort.ts";
import { TcpProxy } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const reconnectStrategy = () => 50;
const ping = [{ name: "PING", args: [] }];
const quiet = () => {};

async function connections(server: RedisServer): Promise<number> {
  return String(await server.cli("CLIENT", "LIST")).trim().split("\n").length - 1; // without that of cli() itself
}

Deno.test("fromNodeRedis() replaces a client that is written to all the time and is never answered", async () => {
  await using server = await RedisServer.start();
  await using proxy = TcpProxy.start(server);
  const socket = { socketTimeout: 300, reconnectStrategy };
  const redis = createClient({ url: proxy.url, pingInterval: 100, socket });
  redis.on("error", quiet);
  await redis.connect();
  const client = fromNodeRedis(redis);
  const out: Promise<unknown>[] = [];
  let answered = 0;
  const send = async (milliseconds: number) => {
    for (let i = 0; i < milliseconds / 50; i++) {
      out.push(client.pipeline(ping).then(() => answered++, quiet));
      await delay(50);
    }
  };
  await send(400);
  client.reset(new Error("one is late")); // and the next are answered
  await send(400);
  assert(answered > 0);
  assertEquals(proxy.accepted, 1);

  proxy.freeze();
  const since = performance.now();
  for (; proxy.accepted === 1; client.reset(new Error("it does not answer"))) {
    assert(performance.now() - since < 10_000, "nothing takes its place");
    await send(100);
  }
  proxy.thaw();
  await until(() => client.pipeline(ping).then(() => true, () => false), "it is back");
  await client.close();
  redis.destroy();
  await Promise.all(out);
});

Deno.test("fromNodeRedis() keeps no connection that is closed while it is being made", async () => {
  await using server = await RedisServer.start();
  let held = false;
  let tell: (() => void) | undefined;
  const find: LookupFunction = (host, options, told) =>
    lookup(host, { ...options as LookupAllOptions, family: 4 }, (error, addresses) => {
      tell = () => told(error, addresses);
      if (!held) tell();
    });
  const socket = { host: "localhost", port: server.port, lookup: find };
  const redis = createClient({ socket });
  redis.on("error", quiet);
  await redis.connect();
  const client = fromNodeRedis(redis);
  held = true;
  tell = undefined;
  const apart = await client.apart!();
  await until(() => tell !== undefined, "it asks for the address");
  await apart.close();
  tell!();
  await delay(100);
  assertEquals(await connections(server), 1);
  await client.close();
  redis.destroy();
});

Deno.test("fromNodeRedis() closes at once what waits to connect again", async () => {
  await using server = await RedisServer.start();
  const proxy = TcpProxy.start(server);
  const redis = createClient({ url: proxy.url });
  redis.on("error", quiet);
  await redis.connect();
  const client = fromNodeRedis(redis);
  redis.destroy();
  await proxy[Symbol.asyncDispose]();
  const apart = await client.apart!();
  let lost = 0;
  apart.onChange(({ state }) => state === "disconnected" && lost++);
  await until(() => lost >= 2, "it tries again");
  await apart.close(); // a timer that is left fails the test
  await client.close();
});

Deno.test("fromNodeRedis() lets nobody be ended by a PING of a client that is destroyed after it", async () => {
  await using server = await RedisServer.start();
  const redis = createClient({ url: server.url, pingInterval: 20 }); // without a listener for errors
  await redis.connect();
  const client = fromNodeRedis(redis);
  const unheard: unknown[] = [];
  const told = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unheard.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", told);
  try {
    await server.pause();
    await delay(100); // a PING is out
    await client.close();
    redis.destroy();
    await delay(20);
    assertEquals(unheard, []);
    assertEquals(redis.eventNames(), []);
  } finally {
    globalThis.removeEventListener("unhandledrejection", told);
    await server.resume();
  }
});
