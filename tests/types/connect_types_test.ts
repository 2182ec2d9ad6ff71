/**
 * Types of what `connect()` gives, for each way to say them. What counts is that it compiles, or does not where that is
 * said.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { z } from "zod";
import {
  connect,
  type ConnectOptions,
  type Larder,
  type PresetName,
  type RateLimiter,
  type Session,
  type SessionData,
  type Sessions,
  type StandardSchema,
} from "../../mod.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

function is<_T extends true>(): void {}

interface Data {
  theme: "dark" | "light";
  visits?: number;
}

const url = "memory:";
const schema = {
  "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value: value as Data }) },
} satisfies StandardSchema<unknown, Data>;
const Zod = z.object({ theme: z.enum(["dark", "light"]), visits: z.number().optional() });
type ZodData = z.output<typeof Zod>;
const UPLOAD = { limit: 2, window: "1h" } as const;
const ok = () => new Response();

Deno.test("connect() without types: any data, the limits that are always there", async () => {
  await using redis = await connect({ url });
  is<Same<typeof redis, Larder>>();
  is<Same<typeof redis.sessions, Sessions<SessionData>>>();
  is<Same<typeof redis.rateLimit, RateLimiter<PresetName>>>();
  await redis.sessions.create("ada", { anything: 1 });
  // @ts-expect-error: there is no such limit
  await redis.rateLimit.check("UPLOAD", "a").catch(() => {});
});

Deno.test("connect() knows the data of sessions by their schema", async () => {
  await using redis = await connect({ url, sessions: { schema } });
  is<Same<typeof redis, Larder<{ session: Data }>>>();
  is<Same<typeof redis.sessions, Sessions<Data>>>();
  const session = await redis.sessions.create("ada", { theme: "dark" });
  is<Same<typeof session, Session<Data>>>();
  // @ts-expect-error: no such theme
  await redis.sessions.update(session.id, { theme: "blue" });
  // @ts-expect-error: there is no such limit
  await redis.rateLimit.check("UPLOAD", "a").catch(() => {});

  await using zod = await connect({ url, sessions: { ttl: "1h", schema: Zod } });
  is<Same<typeof zod.sessions, Sessions<ZodData>>>();
  await using inline = await connect({ url, sessions: { schema: z.object({ cart: z.array(z.string()) }) } });
  const { data } = await inline.sessions.create(null, { cart: ["tea"] });
  is<Same<typeof data.cart, string[]>>();
  // @ts-expect-error: no cart
  await inline.sessions.create(null, {}).catch(() => {});
});

Deno.test("connect() knows its own limits by their names", async () => {
  await using redis = await connect({ url, rateLimit: { presets: { UPLOAD, AUTH: { limit: 3, window: "10m" } } } });
  is<Same<typeof redis.sessions, Sessions<SessionData>>>();
  await redis.rateLimit.check("UPLOAD", "a");
  await redis.rateLimit.check("STATIC", "a");
  redis.rateLimit.guard({ "POST /files": "UPLOAD", "*": ["DEFAULT", { limits: ["UPLOAD", "API"] }] }, ok);
  // @ts-expect-error: a typo
  await redis.rateLimit.check("UPLAOD", "a").catch(() => {});
});

Deno.test("connect() knows both without being told", async () => {
  await using redis = await connect({ url, sessions: { schema }, rateLimit: { presets: { UPLOAD } } });
  is<Same<typeof redis, Larder<{ session: Data }, "UPLOAD">>>();
  is<Same<typeof redis.sessions, Sessions<Data>>>();
  await redis.rateLimit.check("UPLOAD", "a");
  redis.rateLimit.guard({ "*": "UPLOAD" }, ok);
  // @ts-expect-error: a typo
  await redis.rateLimit.check("UPLAOD", "a").catch(() => {});
  await using zod = await connect({ url, sessions: { schema: Zod }, rateLimit: { presets: { UPLOAD }, timeout: 1 } });
  is<Same<typeof zod.sessions, Sessions<ZodData>>>();
  await zod.rateLimit.check("UPLOAD", "a");
});

Deno.test("connect() is told the data, and with them the limits", async () => {
  await using data = await connect<{ session: Data }>({ url });
  is<Same<typeof data.sessions, Sessions<Data>>>();
  // An interface that has no index is no less a type of data.
  const takes = (redis: Larder) => redis.store;
  assertEquals(takes(data), "memory");

  await using both = await connect<{ session: Data; limit: "UPLOAD" }>({ url, rateLimit: { presets: { UPLOAD } } });
  is<Same<typeof both.sessions, Sessions<Data>>>();
  await both.rateLimit.check("UPLOAD", "a");
  both.rateLimit.guard({ "POST /files": "UPLOAD", "*": "DEFAULT" }, ok);

  await using later = await connect<{ limit: "UPLOAD" | "EXPORT" }>({ url });
  is<Same<typeof later.sessions, Sessions<SessionData>>>();
  later.rateLimit.define("EXPORT", UPLOAD);
  await later.rateLimit.check("EXPORT", "a");

  await using checked = await connect<{ session: Data; limit: "UPLOAD" }>({
    url,
    sessions: { schema },
    rateLimit: { presets: { UPLOAD, AUTH: { limit: 3, window: "10m" } } },
  });
  is<Same<typeof checked.sessions, Sessions<Data>>>();
  await checked.rateLimit.check("UPLOAD", "a");

  await using unnamed = await connect<{ session: Data }>({
    url,
    // @ts-expect-error: who states types states that of the limits too: { session: Data; limit: "UPLOAD" }
    rateLimit: { presets: { UPLOAD } },
  });
  // What is always there may be changed all the same.
  await using changed = await connect<{ session: Data }>({ url, rateLimit: { presets: { AUTH: UPLOAD } } });
  await using other = await connect<{ session: { cart: string[] } }>({
    url,
    // @ts-expect-error: not the schema of these data
    sessions: { schema },
  });
  assertEquals([unnamed.store, changed.store, other.store], ["memory", "memory", "memory"]);
});

Deno.test("connect() takes options that are kept in a variable", async () => {
  const options = { url, sessions: { schema }, rateLimit: { presets: { UPLOAD } } };
  await using redis = await connect(options);
  is<Same<typeof redis.sessions, Sessions<Data>>>();
  await redis.rateLimit.check("UPLOAD", "a");
  const wide: ConnectOptions = { url };
  await using any = await connect(wide);
  is<Same<typeof any.sessions, Sessions<SessionData>>>();
});

Deno.test("connect() checks the data of sessions by their schema", async () => {
  await using redis = await connect({ url, sessions: { schema: Zod } });
  const { id } = await redis.sessions.create("ada", { theme: "dark" });
  const wrong = { theme: "blue" } as unknown as ZodData;
  const refused = await redis.sessions.create("ada", wrong).catch((error: Error) => error);
  assertEquals(refused instanceof TypeError && /fit the schema/.test(refused.message), true);
  assertEquals(await redis.sessions.update(id, wrong).then(() => "", (error: Error) => error.name), "TypeError");
  assertEquals((await redis.sessions.get(id))?.data, { theme: "dark" });
  // Others on the same store may look with another schema, or without.
  assertEquals(
    (await redis.sessions.typed({ schema: z.object({ theme: z.string() }) }).get(id))?.data,
    { theme: "dark" },
  );
  const failed = await connect({ url, sessions: { schema: {} as never } }).catch((error: Error) => error.message);
  assertEquals(failed, "Cannot use sessions.schema: wanted a Standard Schema, such as one of Zod, got an object");
});
