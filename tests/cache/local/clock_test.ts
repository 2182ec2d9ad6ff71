import { assertEquals } from "@std/assert";
import { LEASE, REMOVE, TOUCH, WRITE } from "../../../src/cache/redis/entry_scripts.ts";
import { CLEAR, INVALIDATE, SHOW_PATTERN, SWEEP } from "../../../src/cache/redis/invalidation_scripts.ts";
import { READ } from "../../../src/cache/redis/read_script.ts";
import type { UnavailableError } from "../../../src/errors.ts";
import type { RedisClient, RedisCommand, RedisReply } from "../../../src/redis/client.ts";
import { openCache, untilCopied } from "../../support/open_cache.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const TEXTS = new Map(
  [LEASE, REMOVE, TOUCH, WRITE, CLEAR, INVALIDATE, SWEEP, SHOW_PATTERN, READ].map(({ sha, text }) => [sha, text]),
);

/**
 * The time of a server, which can be set: scripts ask for it where they run, so they are told another one; so is who
 * asks himself.
 */
class ServerClock {
  /** By how many seconds it is off. */
  offset = 0;
  told = 0;

  readonly wrap = (client: RedisClient): RedisClient =>
    new Proxy(client, {
      get: (target, property) => {
        if (property === "pipeline") {
          return async (commands: readonly RedisCommand[]) => {
            const { offset } = this;
            const replies = await target.pipeline(commands.map((command) => this.#set(command)));
            return replies.map((reply, i) => commands[i]!.name === "TIME" ? this.#later(reply, offset) : reply);
          };
        }
        const value = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });

  #later(reply: RedisReply | UnavailableError, offset: number): RedisReply | UnavailableError {
    if (!Array.isArray(reply)) return reply;
    this.told++;
    const seconds = Number(new TextDecoder().decode(reply[0] as Uint8Array)) + offset;
    return [new TextEncoder().encode(String(seconds)), reply[1]!];
  }

  #set(command: RedisCommand): RedisCommand {
    const [script, ...rest] = command.args;
    const text = command.name === "EVAL" ? String(script) : TEXTS.get(String(script));
    if (!command.name.startsWith("EVAL") || text === undefined) return command;
    const time = `(function() local t = redis.call('TIME') return { t[1] + ${this.offset}, t[2] } end)()`;
    const altered = text.replaceAll("redis.call('TIME')", time);
    if (altered !== text) this.told++;
    return { ...command, name: "EVAL", args: [altered, ...rest] };
  }
}

Deno.test({
  name: "No copy is served after an invalidation, though the clock of the server was set back in between",
  ignore: !RedisServer.controllable,
  fn: async (t) => {
    await using server = await RedisServer.start();
    const clock = new ServerClock();
    const { wrap } = clock;
    await using opened = await openCache(server, { local: true, wrap });
    await using other = await openCache(server, { wrap });
    const ways = {
      invalidate: "a",
      invalidateByTag: "t",
      invalidateByPattern: "a*",
      clear: undefined,
    } as const;
    for (const by of [opened, other]) {
      for (const [way, what] of Object.entries(ways)) {
        await t.step(`${way}() of ${by === opened ? "this" : "another"} process`, async () => {
          assertEquals(await other.cache.set("a", "old", { tags: ["t"] }), true);
          await until(async () => await opened.cache.get("a") === "old", "the value is there");
          await untilCopied(server, opened, "a");
          clock.offset -= 3600;
          const invalidate = by.cache[way as "clear"] as (what: unknown) => Promise<{ status: string }>;
          assertEquals((await invalidate.call(by.cache, what ?? {})).status, "done");
          if (by === other) await until(async () => await opened.cache.get("a") === undefined, "it is heard of");
          let stale = 0;
          for (let i = 0; i < 50; i++) if (await opened.cache.get("a") !== undefined) stale++;
          assertEquals(stale, 0);
          // What comes next is cached as ever.
          assertEquals(await opened.cache.getOrSet("a", () => "new", { tags: ["t"] }), "new");
          assertEquals([await other.cache.get("a"), await opened.cache.get("a")], ["new", "new"]);
          await untilCopied(server, opened, "a");
        });
      }
    }
    assertEquals(clock.told > 50, true, "scripts were told another time");
  },
});
