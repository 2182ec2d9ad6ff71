import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { RedisError, UnavailableError } from "../../../src/errors.ts";
import type { ConnectionChange, RedisClient, RedisCommand, Subscription } from "../../../src/redis/client.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";
import { clientReplies, errorInList } from "./client_replies.ts";

/** A kind of client that has to keep the promises of the port. */
export interface ClientKind {
  /** What the tests call it. */
  readonly name: string;
  /** Whether it can subscribe. */
  readonly subscribes: boolean;
  /** Whether it can read a list with an error in it. */
  readonly readsErrorsInLists?: boolean;
  /** Opens one. */
  open(url: string): Promise<OpenClient>;
}

/** A client, and the one below it where that belongs to somebody else. */
export interface OpenClient {
  readonly client: RedisClient;
  readonly owner?: {
    /** Uses the client as its owner does. */
    ping(): Promise<unknown>;
    /** Closes it. */
    close(): unknown;
  };
  /** Ends what else was started for it. */
  close?(): unknown;
}

/** Opens a client for a test, and closes all of it afterwards. */
async function using(kind: ClientKind, url: string): Promise<OpenClient & AsyncDisposable> {
  const { client, owner, close: end } = await kind.open(url);
  const close = async () => {
    await client.close();
    await owner?.close();
    await end?.();
  };
  return { client, ...(owner && { owner }), [Symbol.asyncDispose]: close };
}

const PING: RedisCommand = { name: "PING", args: [], text: true };

/** Sends one command. */
async function one(client: RedisClient, name: string, ...args: (string | number | Uint8Array)[]): Promise<unknown> {
  const [reply] = await client.pipeline([{ name, args, text: true }]);
  if (reply instanceof Error) throw reply;
  return reply;
}

/** Waits until commands are answered. */
async function works(client: RedisClient): Promise<void> {
  await until(() => client.connected && client.pipeline([PING]).then(() => true, () => false), "PING is answered");
}

/** Hears what a subscription tells. */
class Ear {
  readonly told: string[] = [];
  readonly messages: Uint8Array[] = [];
  subscription: Subscription | undefined;
  provenWhenLost: Promise<boolean> | undefined;

  readonly listener = {
    message: (payload: Uint8Array) => void this.messages.push(payload),
    ready: () => void this.told.push("ready"),
    lost: () => {
      this.told.push("lost");
      this.provenWhenLost = this.subscription?.prove();
    },
  };

  async has(told: string[]): Promise<void> {
    await until(() => this.told.length >= told.length, `the subscription says ${told}`);
    assertEquals(this.told, told);
  }

  async hears(count: number): Promise<void> {
    await until(() => this.messages.length >= count, `${count} messages have arrived`);
    assertEquals(this.messages.length, count);
  }
}

/** Declares the tests about replies. */
export function testReplies(kind: ClientKind): void {
  Deno.test(`${kind.name} pipeline() replies as the port says`, async (t) => {
    await using server = await RedisServer.start();
    await using opened = await using(kind, server.url);
    for (const [what, run] of Object.entries(clientReplies)) await t.step(what, () => run(opened.client));
    if (kind.readsErrorsInLists) await t.step("errors may be in a list", () => errorInList(opened.client));
  });
}

/** Declares the tests that each kind of client has to pass. */
export function testClient(kind: ClientKind): void {
  const { name } = kind;
  const ignore = !RedisServer.controllable;

  testReplies(kind);

  Deno.test({
    name: `${name} rejects while the server is gone, and comes back with it`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start();
      await using opened = await using(kind, server.url);
      const { client } = opened;
      const changes: ConnectionChange[] = [];
      client.onChange((change) => changes.push(change));
      assertEquals(await one(client, "PING"), "PONG");
      assertEquals([client.connected, changes], [true, []]);
      const { generation } = client;
      assert(generation > 0);

      await server.kill();
      for (let i = 0; i < 20; i++) {
        const start = performance.now();
        await assertRejects(() => client.pipeline([PING, PING]), Error);
        assert(performance.now() - start < 1000);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await until(() => changes.some(({ state }) => state === "disconnected"), "it says that it lost its connection");
      await until(() => changes.some((change) => "error" in change), "it says why there is none");
      assertEquals(client.generation, generation);

      await server.restart();
      await works(client);
      assert(client.generation > generation);
      assertEquals(changes.at(-1), { state: "connected" });
      assertEquals(await one(client, "ECHO", "back"), "back");
    },
  });

  Deno.test({
    name: `${name} never sends a command twice, nor late`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start();
      await using proxy = TcpProxy.start(server);
      await using opened = await using(kind, proxy.url);
      const { client } = opened;
      const count = async () => Number(await server.cli("GET", "counter"));
      // It runs, but the connection is lost before the reply arrives.
      for (let round = 1; round <= 3; round++) {
        await works(client);
        proxy.delay = 150;
        const lost = client.pipeline([{ name: "INCR", args: ["counter"] }]).then(() => "answered", () => "lost");
        await until(async () => await count() === round, "the command has run");
        proxy.cut();
        proxy.delay = 0;
        assertEquals(await lost, "lost");
      }
      await works(client);
      assertEquals(await count(), 3);
      // It is sent while the connection is being lost.
      for (let round = 0; round < 10; round++) {
        const lost: Promise<unknown>[] = [];
        const send = () => void lost.push(client.pipeline([{ name: "INCR", args: ["counter"] }]).catch(() => {}));
        proxy.cut();
        for (let i = 0; i < 3; i++) {
          send();
          await new Promise((resolve) => setTimeout(resolve));
        }
        await Promise.all(lost);
        const sure = await count();
        await works(client);
        assertEquals(await count(), sure);
      }
    },
  });

  Deno.test({
    name: `${name} reset() leaves nothing out of step`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start();
      await using opened = await using(kind, server.url);
      const { client } = opened;
      await server.pause();
      const hung = client.pipeline([{ name: "ECHO", args: ["hung"] }]).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.reset(new Error("it hangs"));
      await server.resume();
      await works(client);
      for (let i = 0; i < 20; i++) assertEquals(await one(client, "ECHO", `${i}`), `${i}`);
      await hung;
      assertEquals(await opened.owner?.ping() ?? "PONG", "PONG");
    },
  });

  Deno.test({
    name: `${name} close() closes what it opened, and only that`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start();
      const clients = async () => String(await server.cli("CLIENT", "LIST")).trim().split("\n").length - 1;
      const { client, owner, close } = await kind.open(server.url);
      if (kind.subscribes) await client.subscribe("news", new Ear().listener);
      await works(client);
      const { generation } = client;
      await Promise.all([client.close(), client.close()]);
      await until(async () => await clients() === (owner ? 1 : 0), "its connections are closed");
      await assertRejects(() => client.pipeline([PING]), UnavailableError);
      client.reset(new Error("too late"));
      assertEquals([client.connected, client.generation], [false, generation]);
      assertEquals(await owner?.ping() ?? "PONG", "PONG");
      await owner?.close();
      await close?.();
    },
  });

  if (!kind.subscribes) {
    Deno.test(`${name} subscribe() is refused`, async () => {
      await using server = await RedisServer.start();
      await using opened = await using(kind, server.url);
      await assertRejects(() => opened.client.subscribe("news", new Ear().listener), UnavailableError);
    });
    return;
  }

  Deno.test(`${name} subscribe() hears what is published from ready() on, and prove() what was published before`, async () => {
    await using server = await RedisServer.start();
    await using opened = await using(kind, server.url);
    const { client } = opened;
    const channel = `news-${crypto.randomUUID()}`;
    const ear = new Ear();
    const other = new Ear();
    const subscription = await client.subscribe(channel, ear.listener);
    await using _other = await client.subscribe(`${channel}-other`, other.listener);
    await Promise.all([ear.has(["ready"]), other.has(["ready"])]);
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    assertEquals(await one(client, "PUBLISH", channel, bytes), 1);
    await ear.hears(1);
    assertEquals(ear.messages[0], bytes);
    assertStrictEquals(ear.messages[0]!.constructor, Uint8Array);
    for (let i = 0; i < 100; i++) await server.cli("PUBLISH", channel, i);
    assertEquals(await subscription.prove(), true);
    assertEquals(ear.messages.slice(1).map((message) => Number(new TextDecoder().decode(message))), [
      ...Array(100).keys(),
    ]);
    assertEquals(await Promise.all([subscription.prove(), subscription.prove()]), [true, true]);

    await subscription[Symbol.asyncDispose]();
    assertEquals(await subscription.prove(), false);
    await until(async () => String(await server.cli("PUBSUB", "NUMSUB", channel)) === `${channel},0`, "nobody listens");
    assertEquals([ear.messages.length, other.messages.length], [101, 0]);
    await subscription[Symbol.asyncDispose]();
    assertEquals(await one(client, "PING"), "PONG");
  });

  Deno.test({
    name: `${name} subscribe() makes do with one connection for all channels, whenever they come and go`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start();
      await using opened = await using(kind, server.url);
      const { client } = opened;
      const ears = Array.from({ length: 200 }, () => new Ear());
      const subscribers = async () => String(await server.cli("CLIENT", "LIST", "TYPE", "pubsub")).trim().split("\n");
      const channels = async () => (await server.cli("PUBSUB", "CHANNELS", "news:*") as string[]).length;
      const subscribe = (from: number, to: number) =>
        Promise.all(ears.slice(from, to).map((ear, i) => client.subscribe(`news:${from + i}`, ear.listener)));
      const subscriptions = await subscribe(0, 100);
      await Promise.all(ears.slice(0, 100).map((ear) => ear.has(["ready"])));
      subscriptions.push(...await subscribe(100, 200));
      await Promise.all(ears.map((ear) => ear.has(["ready"])));
      const [first] = await subscribers();
      assertEquals((await subscribers()).length, 1);
      for (const i of ears.keys()) assertEquals(await server.cli("PUBLISH", `news:${i}`, i), 1);
      await Promise.all(ears.map((ear) => ear.hears(1)));
      assertEquals(ears.map(({ messages }) => new TextDecoder().decode(messages[0])), ears.map((_, i) => String(i)));
      assertEquals(await Promise.all(subscriptions.map((one) => one.prove())), subscriptions.map(() => true));
      // Leaving and coming back leave the others alone, and a proof of life behind nobody.
      await Promise.all(subscriptions.splice(50, 100).map((one) => one[Symbol.asyncDispose]()));
      await until(async () => await channels() === 100 + 1, "100 channels and the proof of life are left");
      const again = new Ear();
      const back = await client.subscribe("news:60", again.listener);
      await again.has(["ready"]);
      assertEquals((await subscribers())[0]!.split(" ")[0], first!.split(" ")[0]);
      await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
      await Promise.all([again, ears[0]!, ears[199]!].map((ear) => ear.has(["ready", "lost", "ready"])));
      assertEquals(ears[100]!.told, ["ready", "lost"]);
      await Promise.all([back, ...subscriptions].map((one) => one[Symbol.asyncDispose]()));
      await until(async () => (await subscribers())[0] === "", "the connection is closed with the last of them");
      const late = new Ear();
      await using _late = await client.subscribe("news:1", late.listener);
      await late.has(["ready"]);
    },
  });

  Deno.test({
    name: `${name} subscribe() says when it was lost and when it is back`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start();
      await using opened = await using(kind, server.url);
      const ear = new Ear();
      await using subscription = ear.subscription = await opened.client.subscribe("news", ear.listener);
      await ear.has(["ready"]);
      await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
      await ear.has(["ready", "lost", "ready"]);
      assertEquals(await ear.provenWhenLost, false);
      assertEquals(await subscription.prove(), true);
      await server.kill();
      await until(() => ear.told.length === 4, "it is lost");
      await server.restart();
      await ear.has(["ready", "lost", "ready", "lost", "ready"]);
      await server.cli("PUBLISH", "news", "fresh");
      await ear.hears(1);
      assertEquals(await subscription.prove(), true);
    },
  });

  Deno.test({
    name: `${name} subscribe() works once there is a server, and can be given up before`,
    ignore,
    fn: async () => {
      await using server = await RedisServer.start();
      await using opened = await using(kind, server.url);
      await server.kill();
      const ear = new Ear();
      await using _subscription = await opened.client.subscribe("news", ear.listener);
      const givenUp = await opened.client.subscribe("other", ear.listener);
      assertEquals(await givenUp.prove(), false);
      await givenUp[Symbol.asyncDispose]();
      assertEquals(ear.told, []);
      await server.restart();
      await ear.has(["ready"]);
    },
  });
}

/** Asserts that a client is refused. */
export function assertRefused(open: () => unknown, ...parts: string[]): void {
  try {
    open();
  } catch (error) {
    assertInstanceOf(error, TypeError);
    for (const part of parts) assert(error.message.includes(part), `${part} in ${error.message}`);
    return;
  }
  throw new RedisError("ERR it was taken");
}
