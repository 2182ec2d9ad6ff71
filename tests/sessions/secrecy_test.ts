import { assert, assertEquals } from "@std/assert";
import type { EventListener } from "../../src/observe/events.ts";
import type { SessionsOptions } from "../../src/sessions/options.ts";
import type { Sessions } from "../../src/sessions/sessions.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog, until } from "../support/until.ts";
import { RedisSessionHarness } from "./harness.ts";
import { SESSION_CASES } from "./suite.ts";

/** All that a server is told, as `redis-cli MONITOR` shows it. */
async function monitor(server: RedisServer): Promise<{ text: () => string } & Disposable> {
  const connection = await Deno.connect({ hostname: server.hostname, port: server.port });
  const decoder = new TextDecoder("latin1");
  let text = "";
  const reading = (async () => {
    const buffer = new Uint8Array(65_536);
    for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
      text += decoder.decode(buffer.subarray(0, read));
    }
  })().catch(() => {});
  await connection.write(new TextEncoder().encode("MONITOR\r\n"));
  await until(() => text.startsWith("+OK"), "the server tells what it does");
  return {
    text: () => text,
    [Symbol.dispose]: () => {
      connection.close();
      void reading;
    },
  };
}

Deno.test({
  name: "No token is in Redis, in what MONITOR shows, in events or in errors",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start();
    using shown = await monitor(server);
    const tokens = new Set<string>();
    const log = new EventLog();
    let stored = "";
    for (const [i, run] of Object.values(SESSION_CASES).entries()) {
      await using harness = new RedisSessionHarness(server, { buckets: i % 2 ? 1 : 7 });
      const collected = async (options: SessionsOptions = {}, on?: EventListener): Promise<Sessions> => {
        const sessions = await harness.open(options, (event) => {
          log.on(event);
          on?.(event);
        });
        for (const name of ["create", "regenerate"] as const) {
          // deno-lint-ignore no-explicit-any -- two methods at once
          const method = (sessions[name] as any).bind(sessions);
          // deno-lint-ignore no-explicit-any -- two methods at once
          (sessions as any)[name] = async (...args: unknown[]) => {
            const session = await method(...args);
            if (session) tokens.add(session.id);
            return session;
          };
        }
        return sessions;
      };
      await run(
        { kind: "redis", open: collected, advance: harness.advance, size: harness.size } as RedisSessionHarness,
      );
      for (const key of await harness.keys()) {
        const type = await server.cli("TYPE", key);
        const read = type === "zset" ? ["ZRANGE", key, 0, -1] : ["HGETALL", key];
        stored += `${key} ${JSON.stringify(await server.cli(...read as [string]))}\n`;
      }
    }
    assert(tokens.size > 60, `${tokens.size} tokens`);
    const handles = log.of("session.create").map(({ handle }) => handle);
    await until(() => shown.text().includes(handles.at(-1)!), "all has been shown");
    assert(stored.includes("sl "), "the keys were read");
    const told = Deno.inspect(log.events, { depth: 20, strAbbreviateSize: 1e6, iterableLimit: 1e6 });
    // Only what is long enough for one of them is looked through, which of all that was sent is little.
    const places = Object.entries({ MONITOR: shown.text(), Redis: stored, events: told })
      .map(([where, text]) => [where, text.match(/[\w-]{40,}/g)?.join(" ") ?? ""] as const);
    for (const token of tokens) {
      const secret = token.slice(token.indexOf(".") + 1);
      for (const [where, text] of places) {
        assertEquals(text.includes(secret), false, `a token is in ${where}`);
      }
    }
  },
});
